/*
 * Sleeping and waking: two sleepers, two publishers, kills anywhere, a supervisor.
 *
 * Models, access by access:
 *   src/bus/wake.c       wake_arm, wake_disarm, wake_call, wake_call_all, write_taken,
 *                        wake_force_all, wake_drain
 *   src/bus/bell.c       bell_arm, has_work, bell_disarm, bell_drain, bell_ring, bell_ring_all
 *   src/bus/segment.c    segment_clear_slot (the bit of the dead, and the bell for all)
 *   src/gateway/turn.c   turn_end (disarm, take what is there, arm)
 *   src/worker/worker.c  on_bell, run (drain, then the next turn)
 *
 * Shown: when nothing moves any more, nobody sleeps while there is work for it. That is asked where
 * Spin's `timeout` holds: no process can take a step. The tick of 100 ms, which would hide all
 * that is looked for here, is not modelled.
 *
 * Weak memory: what has to be proved is the order of one store and one load on each side: publish
 * and look at the bits; set the bit and look for work. Seq_cst fences order them; without its fence
 * a side may do them the other way round, which is modelled as such. The relaxed disarming may come
 * before or after the taking of work. All else is atomic read-modify-write operations on one word,
 * and system calls, which come in program order.
 *
 * Abstractions: events, mail and closes are one flag for each sleeper, which an event sets for all.
 * A sleeper takes and looks for the three kinds one after the other, and no kind depends on
 * another; how each is kept whole is the business of the other models. An eventfd is readable or
 * not. Sleepers may wake by something else (a socket) WAKES times. One disarming stands for the two
 * that follow each other when bell_arm finds work.
 *
 * What it does not show: that a turn takes all that it should (one that ends with work left comes
 * back at once, or waits for the tick for want of memory, and does not arm); more than one word of
 * bits, which are looked at one after the other, each as the one here; a supervisor that is killed,
 * since nobody outlives it by much.
 *
 * Bounds: bits of different slots meet only in wake_call_all, so two slots suffice; a waker meets
 * another one only in taking a bit, so two of them do; WORKS publications let one arrive in each
 * step of a sleeper's round and one more during the waking for it. KILLS 2: of one who wakes and of
 * one who sleeps, or of both who wake. All three together are too many states: each of the searches
 * in test/model/check gives up one kill, publication or waking.
 *
 * Harmless, as runs with SPARE_ in place of FAULT_ show:
 *   SPARE_DISARM  a sleeper that leaves its bit set while it is awake is called for nothing, which
 *                 costs a system call; arming sets the bit again in any case.
 */
#ifndef WORKS
#define WORKS 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef WAKES
#define WAKES 1
#endif

byte bits = 0;
bool readable[2];
bool has_work[2];
bool is_dead[4]; /* sleepers 0 and 1, publishers 2 and 3 */
byte works = WORKS;
byte kills = KILLS;
bool first_is_busy = false;

#define MASK(slot) (1 << (slot))
#define HAS_BIT(word, slot) (((word) >> (slot)) & 1)
#define ALL 2 /* to whom: both, by an event */
#define FIRST 2 /* of the publishers */
#define DIES(who) d_step { kills > 0 -> kills--; is_dead[who] = true }

inline publish()
{
	d_step {
		has_work[0] = has_work[0] || to != 1;
		has_work[1] = has_work[1] || to != 0
	}
}

#define FOR_WHOM(word) (to == ALL -> (word) : (word) & MASK(to))

/* Relaxed load of the word. */
inline look()
{
	word = FOR_WHOM(bits)
}

inline take_bits()
{
	d_step {
#ifndef FAULT_NO_EXCHANGE
		word = FOR_WHOM(bits);
#endif
		/* Else: a load was enough, then a store. */
		bits = bits & ~FOR_WHOM(MASK(0) | MASK(1))
	}
}

/* Of two that are idle the first one begins: they are alike. */
#define MAY_BEGIN (works > 0 && (me == FIRST || first_is_busy))

proctype publisher(byte me)
{
	byte to, word;

end_idle:
	if
	:: d_step { MAY_BEGIN -> works--; to = 0; first_is_busy = true }
	:: d_step { MAY_BEGIN -> works--; to = 1; first_is_busy = true }
	:: d_step { MAY_BEGIN -> works--; to = ALL; first_is_busy = true }
	fi;
#ifdef FAULT_RING_FIRST
	look();
	publish();
#else
	if
	:: publish();
		if
		:: DIES(me); goto killed
		:: look()
		fi
#ifdef FAULT_NO_CALL_FENCE
	:: look();
		publish()
#endif
	fi;
#endif
	if
	:: word == 0 -> goto done
	:: else
	fi;
	take_bits();
	do
	:: DIES(me); goto killed
	:: d_step { HAS_BIT(word, 0) -> readable[0] = true; word = word & ~MASK(0) }
	:: d_step { word == MASK(1) -> readable[1] = true; word = 0 }
	:: word == 0 -> break
	od;
done:
	atomic {
		to = 0;
		if
		:: me == FIRST -> first_is_busy = false
		:: else
		fi
	}
	goto end_idle;
killed:
	atomic { !is_dead[me] -> word = 0 } /* started again */
	goto done
}

inline look_for_work()
{
	found = has_work[me]
}

inline arm()
{
	bits = bits | MASK(me)
}

proctype sleeper(byte me)
{
	bool found;
	byte wakes = WAKES;

turn:
	if
#ifndef SPARE_DISARM
	:: bits = bits & ~MASK(me);
		if
		:: DIES(me); goto killed
		:: has_work[me] = false
		fi
	:: has_work[me] = false;
		bits = bits & ~MASK(me)
#else
	:: has_work[me] = false
	:: DIES(me); goto killed
#endif
	fi;
#ifdef FAULT_LOOK_FIRST
	look_for_work();
	arm();
#else
#ifdef FAULT_NO_LOOK_AGAIN
	arm();
#else
	if
	:: arm();
		look_for_work()
#ifdef FAULT_NO_ARM_FENCE
	:: look_for_work();
		arm()
#endif
	fi;
#endif
#endif
	if
	:: found -> found = false; goto turn /* disarms there, a second time in the code */
	:: else
	fi;
#ifdef FAULT_DRAIN_LAST
	readable[me] = false;
#endif
end_sleep:
	if
	:: readable[me] ->
#ifndef FAULT_DRAIN_LAST
		readable[me] = false;
#endif
		goto turn
	:: d_step { wakes > 0 -> wakes-- }; goto turn
	:: DIES(me); goto killed
	fi;
killed:
	atomic { !is_dead[me] -> found = false }
	goto turn
}

inline force_all()
{
#ifdef FAULT_FORCE_ARMED
	if
	:: HAS_BIT(bits, 0) -> readable[0] = true
	:: else
	fi;
	if
	:: HAS_BIT(bits, 1) -> readable[1] = true
	:: else
	fi
#else
#ifndef FAULT_NO_FORCE
	readable[0] = true;
	readable[1] = true
#else
	skip
#endif
#endif
}

proctype supervisor()
{
	byte dead;

end_wait:
	if
	:: d_step { is_dead[0] -> dead = 0; bits = bits & ~MASK(0) }
	:: d_step { is_dead[1] -> dead = 1; bits = bits & ~MASK(1) }
	:: d_step { is_dead[2] -> dead = 2 }
	:: d_step { is_dead[3] -> dead = 3 }
	fi;
	force_all();
	d_step { is_dead[dead] = false; dead = 0 }
	goto end_wait
}

active proctype at_rest()
{
end_watch:
	timeout -> assert(!has_work[0] && !has_work[1])
}

init
{
	atomic {
		run sleeper(0);
		run sleeper(1);
		run publisher(2);
		run publisher(3);
		run supervisor()
	}
}
