/* Constant-bandwidth servers under earliest deadline first (core/sched/edf.hpp), with hard reservations.
 *
 * Three servers whose shares fill one processor. Time goes in ticks; in each, any that sleeps may wake, the one with the
 * first deadline that has a budget runs for a tick, and may sleep then. Whoever wakes, and whenever, up to HORIZON ticks.
 *
 * Searched exhaustively: a server that waits with a budget never comes to its deadline, so what was admitted is met; and
 * none gets more than its runtime between the beginning of a period and its deadline.
 *
 * Mutants, which Spin must refute: OVERCOMMIT (one more than fits is admitted), DROP_CHARGE (a tick of the first server
 * is not charged), FRESH_BUDGET (whoever wakes has a full budget). A STEP is what the replay (deadlines_replay.cpp) is
 * told. */

#define SERVERS 3
#define HORIZON 9

short runtime[SERVERS];
short period[SERVERS];
short budget[SERVERS];
short deadline[SERVERS];
byte order[SERVERS];    /* in which they began to wait: decides between equals */
bool waits[SERVERS];
byte last = 0;
byte now = 0;

inline begin_to_wait(i) { waits[i] = true; last++; order[i] = last }

inline wake(i) {
    printf("STEP wake%d\n", i);
#ifdef FRESH_BUDGET
    deadline[i] = now + period[i];
    budget[i] = runtime[i];
#else
    if
    :: deadline[i] <= now || budget[i] * period[i] > (deadline[i] - now) * runtime[i] ->
        deadline[i] = now + period[i];
        budget[i] = runtime[i]
    :: else
    fi;
#endif
    begin_to_wait(i)
}

inline fill(i) {
    if
    :: waits[i] && budget[i] <= 0 && deadline[i] <= now ->
        budget[i] = budget[i] + runtime[i];
        deadline[i] = deadline[i] + period[i];
        begin_to_wait(i)
    :: else
    fi;
    assert(!(waits[i] && budget[i] > 0) || deadline[i] > now);  /* met */
    assert(budget[i] <= runtime[i])
}

inline consider(i) {
    if
    :: waits[i] && budget[i] > 0 &&
       (next == SERVERS || deadline[i] < deadline[next] || (deadline[i] == deadline[next] && order[i] < order[next])) ->
        next = i
    :: else
    fi
}

active proctype processor() {
    byte i;
    byte next;
    atomic {
        runtime[0] = 1; period[0] = 2;
        runtime[1] = 1; period[1] = 4;
#ifdef OVERCOMMIT
        runtime[2] = 2; period[2] = 4
#else
        runtime[2] = 1; period[2] = 4
#endif
    }
    do
    :: now < HORIZON ->
        for (i : 0 .. SERVERS - 1) {
            if
            :: !waits[i] -> wake(i)
            :: true
            fi
        }
        atomic {
            next = SERVERS;
            for (i : 0 .. SERVERS - 1) { fill(i) }
            for (i : 0 .. SERVERS - 1) { consider(i) }
        }
        now++;
        if
        :: next < SERVERS ->
#ifdef DROP_CHARGE
            if
            :: next > 0 -> budget[next] = budget[next] - 1
            :: else
            fi;
#else
            budget[next] = budget[next] - 1;
#endif
            if
            :: waits[next] = false; printf("STEP sleep\n")
            :: begin_to_wait(next); printf("STEP tick\n")
            fi
        :: else -> printf("STEP tick\n")
        fi
    :: else -> break
    od
}
