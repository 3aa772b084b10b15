#!/usr/bin/env bash
# One campaign spread over a Slurm job array: each task takes its part of the seeds and keeps it in a file.
#
#     ./twofold sim --list                    # builds, once
#     sbatch --array=0-7 --cpus-per-task=4 tools/sim/slurm-array.sh FOLDER WORKLOAD --seeds A..B [OPTIONS]
#     ./twofold sim merge FOLDER/*.jsonl      # when the array has ended
#
# Submit it in the root of the checkout, or set TWOFOLD_ROOT. Which part a task has is said by
# SLURM_ARRAY_TASK_ID, _COUNT and _MIN, how many processes by SLURM_CPUS_PER_TASK. A task that is run again goes
# on where it was. A task in which a case failed ends with status 1: let the merge wait with afterany.
#SBATCH --job-name=twofold-sim
set -euo pipefail

if [[ $# -lt 2 || -z ${SLURM_ARRAY_TASK_ID:-} ]]; then
    printf 'slurm-array: use: sbatch --array=0-7 tools/sim/slurm-array.sh FOLDER WORKLOAD --seeds A..B\n' >&2
    exit 64
fi
root=${TWOFOLD_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}
folder=$1
shift
mkdir -p "$folder"
# exec: the signal that Slurm sends before the time is over reaches the campaign, which then ends cleanly.
exec "$root/twofold" sim "$@" --shard slurm --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --state "$folder/shard-$SLURM_ARRAY_TASK_ID.jsonl"
