/* Proportional shares by stride scheduling (core/sched/stride.hpp).
 *
 * Three threads with 6, 3 and 2 tickets: a quantum costs them 1, 2 and 3 of their pass. Time goes in quanta; in each, any
 * that sleeps may wake, the one with the least pass runs, and may sleep then. Whoever wakes, and whenever, up to HORIZON
 * quanta.
 *
 * Searched exhaustively: nobody's pass is ahead of the least by more than one quantum of its own, or behind it; and nobody
 * who waits lets more quanta pass than the others can use until their passes reach its own.
 *
 * Mutants, which Spin must refute: DROP_CHARGE (the first thread is not charged), SLEEP_UNCHARGED (who sleeps is not charged
 * for its last quantum), REJOIN (who wakes has left the queue meanwhile, and has no pass any more). A STEP is what the
 * replay (shares_replay.cpp) is told. */

#define THREADS 3
#define HORIZON 9
#define PATIENCE 7      /* of the third: the first may run 4 times, the second 3 */

short pass[THREADS];
byte order[THREADS];    /* in which they began to wait: decides between equals */
byte waited[THREADS];
bool waits[THREADS];
short least = 0;
byte last = 0;
byte now = 0;

inline begin_to_wait(i) { waits[i] = true; last++; order[i] = last }

inline wake(i) {
    printf("STEP wake%d\n", i);
#ifdef REJOIN
    pass[i] = least;
#else
    if
    :: pass[i] < least -> pass[i] = least
    :: else
    fi;
#endif
    waited[i] = 0;
    begin_to_wait(i)
}

inline consider(i) {
    if
    :: waits[i] && (next == THREADS || pass[i] < pass[next] || (pass[i] == pass[next] && order[i] < order[next])) ->
        next = i
    :: else
    fi
}

inline charge(i) { pass[i] = pass[i] + i + 1 }

active proctype processor() {
    byte i;
    byte next;
    do
    :: now < HORIZON ->
        for (i : 0 .. THREADS - 1) {
            if
            :: !waits[i] -> wake(i)
            :: true
            fi
        }
        atomic {
            next = THREADS;
            for (i : 0 .. THREADS - 1) { consider(i) }
            if
            :: next < THREADS -> least = pass[next]
            :: else
            fi;
            for (i : 0 .. THREADS - 1) {
                if
                :: waits[i] && i != next -> waited[i]++
                :: else
                fi;
                assert(waited[i] <= PATIENCE);
                assert(!waits[i] || (pass[i] >= least && pass[i] - least <= i + 1))
            }
        }
        now++;
        if
        :: next < THREADS ->
            waited[next] = 0;
            if
            :: waits[next] = false;
               printf("STEP sleep\n");
#ifndef SLEEP_UNCHARGED
#ifdef DROP_CHARGE
               if
               :: next > 0 -> charge(next)
               :: else
               fi
#else
               charge(next)
#endif
#endif
            :: printf("STEP tick\n");
#ifdef DROP_CHARGE
               if
               :: next > 0 -> charge(next)
               :: else
               fi;
#else
               charge(next);
#endif
               begin_to_wait(next)
            fi
        :: else -> printf("STEP tick\n")
        fi
    :: else -> break
    od
}
