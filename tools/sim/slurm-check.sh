#!/usr/bin/env bash
# A campaign on a real Slurm of one node, which this script sets up in a scratch folder and takes down again.
#
#     tools/sim/slurm-check.sh [WORKLOAD --seeds A..B OPTIONS...]
#
# Submits slurm-array.sh as an array of four tasks, waits for its end, merges the states, and compares the result
# with the same campaign without Slurm. Without arguments the campaign is one of the scripted simulator of the tests,
# and a task is killed at a known case and put back into the queue. Needs the packages slurm-wlm and munge, and
# no privileges.
#
# Status: 0 equal; 1 different; 77 skipped, with a reason; 69 Slurm does not start (its logs are shown).
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
readonly root tasks=4 seconds_most=120 seed_of_the_kill=700
export PATH=$PATH:/usr/sbin:/sbin

say() { printf 'slurm-check: %s\n' "$*" >&2; }

require() {
    local program
    for program in munged slurmctld slurmd sbatch squeue scontrol; do
        command -v "$program" >/dev/null && continue
        say "skipped: $program is not there; apt-get install slurm-wlm munge"
        exit 77
    done
}

# free_port: a port of this host that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

write_configuration() {
    local user host
    user=$(id -un) host=$(hostname -s)
    mkdir -p "$scratch"/{state,spool,tmp}
    cat >"$scratch/slurm.conf" <<CONFIGURATION
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$scratch/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MinJobAge=600
KillWait=2
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONFIGURATION
    (umask 077 && head -c 128 /dev/urandom >"$scratch/munge.key")
}

# start NAME COMMAND...: a daemon in the foreground of its own, ended by stop_all.
start() {
    local name=$1
    shift
    "$@" >"$scratch/$name.out" 2>&1 &
    daemons+=($!)
}

stop_all() {
    local pid
    [[ ${#daemons[@]} == 0 ]] || scontrol shutdown >/dev/null 2>&1 || true
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
    [[ -n ${TWOFOLD_KEEP:-} ]] || rm -rf "$scratch"
}

give_up() {
    say "$1"
    tail -n 5 "$scratch"/*.log "$scratch"/*.out >&2 || true
    exit 69
}

# wait_until TEXT COMMAND...: until the command succeeds.
wait_until() {
    local what=$1 end=$((SECONDS + seconds_most))
    shift
    until "$@"; do
        ((SECONDS < end)) || give_up "$what does not happen within $seconds_most s"
        read -rt 0.2 <> <(:) || true
    done
}

munge_answers() { munge --socket="$scratch/munge.socket" --no-input >/dev/null 2>&1; }
node_is_idle() { [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]]; }
array_is_over() { squeue --noheader --jobs="$job" >"$scratch/queue" 2>/dev/null && [[ ! -s $scratch/queue ]]; }
task_was_requeued() { [[ $(squeue --noheader --format=%t --jobs="${job}_0" 2>/dev/null) != R ]]; }

# kill_the_first_task: when its simulator is at a certain case; it is requeued, as after the loss of a node.
kill_the_first_task() {
    local gate=$SCRIPTED_FOLDER/seed-$seed_of_the_kill opened
    exec {opened}>"$gate" # waits until the simulator has opened it
    rm "$gate"
    scontrol requeue "${job}_0"
    wait_until "the killed task's leaving the node" task_was_requeued
    exec {opened}>&-
    cp "$scratch/states/shard-0.jsonl" "$scratch/killed.jsonl"
    say "killed the first task at seed $seed_of_the_kill; $(wc -l <"$scratch/killed.jsonl") lines of state are left"
}

start_slurm() {
    export SLURM_CONF=$scratch/slurm.conf
    start munged munged --foreground --force --key-file="$scratch/munge.key" --socket="$scratch/munge.socket" \
        --pid-file="$scratch/munged.pid" --log-file="$scratch/munged.log" --seed-file="$scratch/munge.seed"
    wait_until "munge's answer" munge_answers
    start slurmctld slurmctld -D -f "$SLURM_CONF"
    start slurmd slurmd -D -f "$SLURM_CONF"
    wait_until "the node's coming up" node_is_idle
}

# equal ONE OTHER: whether two documents say the same but for what is measured.
equal() {
    python3 - "$@" <<'PROGRAM'
import json, sys
one, other = (json.load(open(path)) for path in sys.argv[1:])
for document in (one, other):
    for key in ("measured", "command", "ended"):
        del document[key]
print(f"{other['totals']['cases']} cases, {other['totals']['failed']} failures of {len(other['failures'])} kinds")
sys.exit(one != other)
PROGRAM
}

main() {
    local -a campaign=("$@")
    require
    scratch=$(mktemp -d -t slurm-check.XXXXXX)
    daemons=()
    trap stop_all EXIT
    if [[ $# == 0 ]]; then
        campaign=(kinds --seeds 1..4001 --simulator "$root/tests/tools/sim/scripted_simulator.py")
        export SCRIPTED_FOLDER=$scratch/gates
        mkdir "$SCRIPTED_FOLDER"
    fi
    "$root/twofold" sim "${campaign[@]}" --json "$scratch/whole.json" >"$scratch/whole.out" || [[ $? == 1 ]] ||
        give_up "the campaign without Slurm does not run"
    [[ $# -gt 0 ]] || mkfifo "$SCRIPTED_FOLDER/seed-$seed_of_the_kill"
    write_configuration
    start_slurm
    say "Slurm is up: $(sinfo --version), $(sinfo --noheader --format='%D node, %c processors')"
    job=$(cd "$root" && sbatch --parsable --requeue --array="0-$((tasks - 1))" --cpus-per-task=1 \
        --output="$scratch/task-%a.out" tools/sim/slurm-array.sh "$scratch/states" "${campaign[@]}")
    say "submitted array $job of $tasks tasks"
    [[ $# -gt 0 ]] || kill_the_first_task
    wait_until "the array's end" array_is_over
    "$root/twofold" sim merge --complete "$scratch"/states/*.jsonl --json "$scratch/merged.json" || [[ $? == 1 ]] ||
        give_up "the states do not merge"
    if ! equal "$scratch/whole.json" "$scratch/merged.json"; then
        say "the merged result differs from that without Slurm"
        exit 1
    fi
    say "the merged result is that of the campaign without Slurm"
}

main "$@"
