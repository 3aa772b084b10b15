/* The protocol of sleeping and waking (core/sched/dispatcher.hpp): park and unpark with a permit, under the lock of a
 * run queue; a wake-up that moves the sleeper to another processor's queue; a switch that holds the lock until the
 * context is saved (`finish`).
 *
 * Two processors, each with a queue and a lock; one thread that parks a few times; a waker on another processor that
 * unparks it as often. The thread is what its processor runs: its context is either in registers or saved.
 *
 * Searched exhaustively: no processor takes a context that is not saved; the thread is in one place at a time; each
 * permit is consumed, so the thread ends (an invalid end state is a lost wake-up).
 *
 * Mutants, which Spin must refute: DROP_PERMIT (unpark of who is awake leaves nothing), EARLY_UNLOCK (the lock is given
 * back before the context is saved), CHECK_UNLOCKED (park looks at the permit before it takes the lock). */

#define ROUNDS 3
#define NOBODY 2

bool locked[2];
bool waits[2];          /* the thread waits in that queue */
bool permit;
bool asleep;
bool saved = false;     /* its context; in registers at first */
bool done = false;
byte home = 0;          /* the queue that it belongs to; NOBODY while it moves */
byte running = 0;       /* the processor that runs it; NOBODY */
byte rounds = 0;
byte given = 0;

inline acquire(q) { atomic { !locked[q]; locked[q] = true } }
inline release(q) { assert(locked[q]); locked[q] = false }

/* Locks the queue that the thread belongs to: it may move meanwhile. */
inline acquire_home(q) {
    do
    :: atomic { home != NOBODY -> q = home };
       acquire(q);
       if
       :: home == q -> break
       :: else -> release(q)
       fi
    od
}

proctype processor(byte self) {
    bool has_permit;
    do
    :: running == self ->
        /* The thread runs here, and waits for its next permit. */
        if
        :: rounds == ROUNDS -> done = true; running = NOBODY; break
        :: else
        fi;
#ifdef CHECK_UNLOCKED
        has_permit = permit;
        acquire(self);
#else
        acquire(self);
        has_permit = permit;
#endif
        if
        :: has_permit -> permit = false; rounds++; release(self)
        :: else ->
            asleep = true;
#ifdef EARLY_UNLOCK
            release(self);
            saved = true;
            running = NOBODY
#else
            saved = true;       /* the switch; its other side gives the lock back */
            running = NOBODY;
            release(self)
#endif
        fi
    :: running != self && waits[self] ->
        acquire(self);
        if
        :: waits[self] ->
            waits[self] = false;
            assert(saved);              /* nobody runs on registers that are elsewhere */
            assert(running == NOBODY);
            saved = false;
            running = self;
            /* What park was called for has come. */
            rounds++
        :: else
        fi;
        release(self)
    :: done -> break
    od
}

proctype waker() {
    byte from, to;
    do
    :: given == ROUNDS -> break
    :: else ->
        /* The next one is given when the one before was taken: permits do not add up. */
        rounds == given;
        acquire_home(from);
        given++;
        if
        :: !asleep ->
#ifndef DROP_PERMIT
            permit = true;
#endif
            release(from)
        :: else ->
            asleep = false;
            if
            :: waits[from] = true; release(from)          /* stays */
            :: home = NOBODY;                             /* moves, with one lock at a time */
               release(from);
               to = 1 - from;
               acquire(to);
               assert(home == NOBODY);
               home = to;
               waits[to] = true;
               release(to)
            fi
        fi
    od
}

init { atomic { run processor(0); run processor(1); run waker() } }
