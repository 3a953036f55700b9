/*
 * The event ring: publishers that are killed anywhere, and a reader that trusts nobody.
 *
 * Models, access by access:
 *   src/bus/ring_publish.c  commit, publish_locked, ring_publish
 *   src/bus/ring_entry.c    ring_entry_load, ring_entry_store, ring_entry_is_sane
 *   src/bus/ring_read.c     ring_read, copy_record, recheck
 *   src/bus/ring.c          is_readable
 *   src/bus/ring_view.c     ring_view_tail
 *   include/bus/ring_view.h ring_view_head, ring_view_intent, ring_view_is_too_old,
 *                           ring_view_is_overwritten
 *
 * The lock is that of lock.inc.
 *
 * Shown, for every run within the bounds:
 *   - RECORD is returned with the entry and the bytes of that very event, without the help of the
 *     checksums, which are not modelled;
 *   - DAMAGED is never returned, and LAPPED only when the index or an intended record has come
 *     round to the event;
 *   - head grows by one, an acknowledged event is counted by it, and is one attempt's alone;
 *   - the tail is always found, the lock always recovered, and nobody waits for ever.
 *
 * Weak memory. A process makes the accesses of one operation in any order that its fences, release
 * stores, acquire loads, and data dependencies allow: `todo` holds those not yet made, and AFTER()
 * those that must be made before. A store is seen by all at once. So the model covers what
 * compilers and machines with multi-copy atomicity (x86, ARMv8, RISC-V) may do; a store that
 * becomes visible to one process before another is not covered, nor needed: the only reader of
 * another's unfinished stores is the one that is modelled. A killed process leaves any set of
 * stores that is closed under that order, which includes each prefix of the program.
 *
 * Abstractions: the fields at_ms, flags and so on behave like the three that stand here; every byte
 * carries the number of its attempt, so that equal contents hide nothing; digits and checksums are
 * content. Positions do not wrap (RING_POS_MAX). A record is at most half of the data, where the
 * code says a quarter; nothing depends on more than that it fits. The bytes are loaded as soon as
 * their address is known, before it is certain that they are needed.
 *
 * Bounds: an entry is reused after N events and bytes after B, and an event is trusted by
 * comparison with only one later head, intent and seq. So two rings suffice: N 2, where the index
 * laps first and LAST 4 reuses each entry once by complete and once by killed attempts, and
 * N 4 with B 4, where the data laps first. Two kills: that of a publisher, and of its successor.
 * One process stands for all publishers, since they touch shared words under the lock only.
 *
 * What it does not show: the digits that are set into the frame; -ERANGE and the time-out of the
 * lock, after which nothing was written; adoption (ring_adopt, with nobody else there); words that
 * a foreign hand overwrote, which is what checksums and bounds are for; ring_oldest's halving.
 *
 * Harmless, as runs with SPARE_ in place of FAULT_ show, since something else covers it:
 *   SPARE_SEQ_RELEASE         nobody looks at an entry that `head` does not count yet, and head is
 *                             released behind all of it.
 *   SPARE_ENTRY_ACQUIRE       fields of this event are seen with head; those of a later one are
 *                             found out by the second look.
 *   SPARE_HEAD_AGAIN_ACQUIRE  what matters is that `intent` is loaded after the copy, and the fence
 *                             holds that.
 *   SPARE_SEQ_LOOK            in recheck() it tells DAMAGED from LAPPED, which only a foreign hand
 *                             in the memory can make differ. In is_readable() it is needed.
 */
#ifndef N
#if defined(FAULT_NO_INTENT) || defined(FAULT_LATE_INTENT) || defined(FAULT_INTENT_LOWERED) || \
	defined(FAULT_NO_INTENT_LOOK) || defined(FAULT_HEAD_ACQUIRE)
#define N 4
#else
#define N 2
#endif
#endif
#ifndef LAST
#define LAST 4
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define B 4
#define MAX 2

#include "lock.inc"

byte head = 0;  /* as the holder of the lock finds it */
byte shown = 0; /* as readers see it, later perhaps */
byte intent = 0;
byte index_seq[N];
byte index_pos[N];
byte index_len[N];
byte data[B];

/* What the proof knows: the event that will be read, its one content, what was acknowledged. */
byte want = 0;
byte true_pos = 0;
byte true_len = 0;
byte true_tag = 0;
byte attempts = 0; /* at publishing `want` */
byte acknowledged = 0;
byte kills = 0;
bool was_read = false; /* nothing else has to happen */

#define TOO_OLD(seq, h) ((h) >= (seq) && (h) - (seq) >= N - 1)
#define OVERWRITTEN(i, p) ((i) > (p) + B)
#define AFTER(set) ((todo & (set)) == 0)
#define DUE(one) ((todo & (one)) != 0)
#define DONE(one) todo = todo & ~(one)

/* The stores of commit(). */
#define S_INTENT 1
#define S_ZERO 2
#define S_POS 4
#define S_LEN 8
#define S_BYTE0 32
#define S_BYTE1 64
#define S_SEQ 128
#define S_HEAD 256
#define S_RECORD (S_POS | S_LEN | S_BYTE0 | S_BYTE1)

/* Which stores each must not come before. */
#define B_INTENT 0
#define B_ZERO S_INTENT /* release */
#define B_RECORD (S_INTENT | S_ZERO) /* release fence */
#define B_SEQ (S_INTENT | S_ZERO | S_RECORD) /* release */
#define HEAD_BEFORE_ZERO (shown == head) /* release */
#define HEAD_BEFORE_RECORD (shown == head) /* release fence */
#define B_HEAD (S_INTENT | S_ZERO | S_RECORD | S_SEQ) /* release */

#ifdef FAULT_NO_RELEASE_FENCE
#undef B_RECORD
#undef HEAD_BEFORE_RECORD
#define B_RECORD 0
#define HEAD_BEFORE_RECORD true
#endif
#ifdef FAULT_ZERO_RELAXED
#undef B_ZERO
#undef HEAD_BEFORE_ZERO
#define B_ZERO 0
#define HEAD_BEFORE_ZERO true
#endif
#ifdef FAULT_LATE_INTENT
#undef B_INTENT
#undef B_ZERO
#undef B_RECORD
#define B_INTENT S_RECORD
#define B_ZERO 0
#define B_RECORD S_ZERO
#endif
#ifdef SPARE_SEQ_RELEASE
#undef B_SEQ
#define B_SEQ S_ZERO /* the same word: coherence */
#endif
#ifdef FAULT_HEAD_RELAXED
#undef B_HEAD
#define B_HEAD 0
#endif
#ifdef FAULT_HEAD_FIRST
#undef B_HEAD
#define B_HEAD (S_INTENT | S_ZERO)
#undef B_SEQ
#define B_SEQ (S_INTENT | S_ZERO | S_RECORD | S_HEAD)
#endif

/* Inside a d_step: publish_locked, up to commit(). */
inline find_tail()
{
	pos = 0;
	if
	:: head != 0 ->
		assert(index_seq[head % N] == head); /* else ENOTRECOVERABLE */
		pos = index_pos[head % N] + index_len[head % N]
	:: else
	fi;
#ifndef FAULT_NO_INTENT
#ifndef FAULT_LATE_INTENT
	assert(intent >= pos && intent - pos <= MAX);
#endif
#endif
	seq = head + 1;
	if
	:: seq == want -> attempts++; tag = attempts
	:: else -> tag = 0
	fi
}

active proctype publisher()
{
	byte seq, pos, size, tag;
	short todo;

idle:
	seq = 0;
	d_step { pos = 0; size = 0; tag = 0; todo = 0 }
	if
	:: (head >= LAST && lock == LOCK_FREE) || was_read -> goto end_publisher
	:: want != 0 && !was_read -> lock_take()
	fi;
	if
	:: kills < CRASHES -> goto killed
	:: lock_recover()
	fi;
	if
	:: head >= LAST -> goto give
	:: else
	fi;
	if
	:: size = 1
	:: size = 2
	fi;
	d_step {
		find_tail();
		todo = S_INTENT | S_ZERO | S_RECORD | S_SEQ | S_HEAD;
		if
		:: size < 2 -> DONE(S_BYTE1)
		:: else
		fi;
#ifdef FAULT_NO_INTENT
		DONE(S_INTENT);
#endif
#ifdef FAULT_NO_ZERO
		DONE(S_ZERO);
#endif
	}
	do
	:: d_step {
		DUE(S_INTENT) && AFTER(B_INTENT) ->
#ifndef FAULT_INTENT_LOWERED
		if
		:: intent < pos + size -> intent = pos + size
		:: else
		fi;
#else
		intent = pos + size;
#endif
		DONE(S_INTENT)
	}
	:: d_step {
		DUE(S_ZERO) && AFTER(B_ZERO) && HEAD_BEFORE_ZERO ->
		index_seq[seq % N] = 0; DONE(S_ZERO)
	}
	:: d_step {
		DUE(S_POS) && AFTER(B_RECORD) && HEAD_BEFORE_RECORD ->
		index_pos[seq % N] = pos; DONE(S_POS)
	}
	:: d_step {
		DUE(S_LEN) && AFTER(B_RECORD) && HEAD_BEFORE_RECORD ->
		index_len[seq % N] = size; DONE(S_LEN)
	}
	:: d_step {
		DUE(S_BYTE0) && AFTER(B_RECORD) && HEAD_BEFORE_RECORD ->
		data[pos % B] = tag; DONE(S_BYTE0)
	}
	:: d_step {
		DUE(S_BYTE1) && AFTER(B_RECORD) && HEAD_BEFORE_RECORD ->
		data[(pos + 1) % B] = tag; DONE(S_BYTE1)
	}
	:: d_step {
		DUE(S_SEQ) && AFTER(B_SEQ) && shown == head ->
		index_seq[seq % N] = seq; DONE(S_SEQ)
	}
	:: d_step {
		DUE(S_HEAD) && AFTER(B_HEAD) && shown == head ->
		assert(head + 1 == seq);
		if
		:: seq == want ->
			assert(true_tag == 0);
			true_pos = pos;
			true_len = size;
			true_tag = tag
		:: else
		fi;
		head = seq;
		DONE(S_HEAD)
	}
	:: todo == 0 -> break
	:: kills < CRASHES -> goto killed
	od;
give:
	if
	:: kills < CRASHES -> goto killed /* committed, but never acknowledged */
	:: lock_give()
	fi;
	d_step {
		if
		:: seq > acknowledged -> acknowledged = seq
		:: else
		fi;
		assert(acknowledged <= head)
	}
	goto idle;
killed:
	atomic { kills++; LOCK_HOLDER_DIES }
	goto idle; /* started again by the supervisor */
end_publisher:
	skip
}

/* The last store of a publication is seen sooner or later; only a release holds later ones back. */
active proctype memory()
{
end_shown:
	do
	:: d_step { shown != head -> shown = head }
	od
}

/* The loads of ring_read, and of is_readable, which has no L_HEAD. */
#define L_HEAD 1
#define L_SEQ 2
#define L_POS 4
#define L_LEN 8
#define L_BYTE0 32
#define L_BYTE1 64
#define L_SEQ_AGAIN 128
#define L_HEAD_AGAIN 256
#define L_INTENT 512
#define L_FIELDS (L_POS | L_LEN)
#define L_ENTRY (L_SEQ | L_FIELDS)
#define L_BYTES (L_BYTE0 | L_BYTE1)

#define A_SEQ L_HEAD /* acquire */
#define A_FIELDS (L_HEAD | L_SEQ) /* acquire */
#define A_BYTES (L_HEAD | L_SEQ | L_POS) /* their address; whether they are needed is known later */
#define A_AGAIN (L_HEAD | L_ENTRY | L_BYTES) /* acquire fence */
#define A_HEAD (A_AGAIN | L_SEQ_AGAIN) /* acquire */
#define A_INTENT (A_AGAIN | L_SEQ_AGAIN | L_HEAD_AGAIN) /* acquire */

#ifdef FAULT_NO_ACQUIRE_FENCE
#undef A_AGAIN
#define A_AGAIN (L_HEAD | L_SEQ) /* both acquire */
#endif
#ifdef FAULT_HEAD_ACQUIRE
#undef A_SEQ
#undef A_FIELDS
#define A_SEQ 0
#define A_FIELDS L_SEQ
#endif
#ifdef SPARE_ENTRY_ACQUIRE
#undef A_FIELDS
#define A_FIELDS L_HEAD
#endif
#ifdef FAULT_SEQ_AGAIN_ACQUIRE
#undef A_HEAD
#undef A_INTENT
#define A_HEAD A_AGAIN
#define A_INTENT (A_AGAIN | L_HEAD_AGAIN)
#endif
#ifdef SPARE_HEAD_AGAIN_ACQUIRE
#undef A_INTENT
#define A_INTENT (A_AGAIN | L_SEQ_AGAIN)
#endif

#define SAME_ENTRY (pos == true_pos && size == true_len)
#define LAPPED_INDEED (TOO_OLD(want, head) || OVERWRITTEN(intent, true_pos))

/* Inside a d_step: with the entry known, which bytes are copied? */
inline judge_entry()
{
	if
	:: AFTER(L_ENTRY) && seq != want -> is_sane = false; DONE(L_BYTES)
	:: AFTER(L_ENTRY) && seq == want && size < 2 -> byte1 = 0; DONE(L_BYTE1)
	:: else
	fi
}

/* Inside a d_step. */
inline judge_record()
{
	if
#ifndef FAULT_NO_RECHECK
#ifndef FAULT_NO_HEAD_LOOK
	:: TOO_OLD(want, head_again) -> assert(LAPPED_INDEED)
#define OR_ELSE !TOO_OLD(want, head_again) &&
#else
#define OR_ELSE
#endif
#ifdef SPARE_SEQ_LOOK
	:: OR_ELSE !is_sane -> assert(false) /* DAMAGED */
#define SEQ_STANDS true
#else
	:: OR_ELSE (!is_sane || seq_again != want) -> assert(false) /* DAMAGED */
#define SEQ_STANDS (seq_again == want)
#endif
#ifndef FAULT_NO_INTENT_LOOK
	:: OR_ELSE is_sane && SEQ_STANDS && OVERWRITTEN(intent_now, pos) ->
		assert(LAPPED_INDEED)
#endif
#endif
	:: else ->
		assert(SAME_ENTRY);
		assert(byte0 == true_tag);
		assert(size < 2 || byte1 == true_tag)
	fi
}

#ifdef FAULT_NO_SECOND_LOOK
#define STANDS_STILL true
#else
#define STANDS_STILL (seq_again == want)
#endif

/* Inside a d_step. */
inline judge_readable()
{
	if
	:: is_sane && STANDS_STILL && !OVERWRITTEN(intent_now, pos) -> assert(SAME_ENTRY)
	:: else -> assert(LAPPED_INDEED)
	fi
}

active proctype reader()
{
	byte seq, pos, size, byte0, byte1, seq_again, head_now, head_again, intent_now;
	bool is_sane, whole;
	short todo;

	select (want : 1 .. LAST);
again:
		shown >= want || shown == head;
		if
		:: d_step {
			whole = true;
			todo = L_HEAD | L_ENTRY | L_BYTES | L_SEQ_AGAIN | L_HEAD_AGAIN | L_INTENT
		}
		:: d_step {
			whole = false; /* is_readable */
			todo = L_HEAD | L_ENTRY | L_SEQ_AGAIN | L_INTENT
		}
		fi;
		is_sane = true;
		do
		:: d_step {
			DUE(L_HEAD) ->
			head_now = shown;
			DONE(L_HEAD);
			if
			:: want > head_now || TOO_OLD(want, head_now) -> todo = 0; is_sane = false
			:: else
			fi
		}
		:: d_step {
			DUE(L_SEQ) && AFTER(A_SEQ) ->
			seq = index_seq[want % N]; DONE(L_SEQ); judge_entry()
		}
		:: d_step {
			DUE(L_POS) && AFTER(A_FIELDS) ->
			pos = index_pos[want % N]; DONE(L_POS); judge_entry()
		}
		:: d_step {
			DUE(L_LEN) && AFTER(A_FIELDS) ->
			size = index_len[want % N]; DONE(L_LEN); judge_entry()
		}
		:: d_step {
			/* Fields of two events may be out of bounds: then no byte is copied. */
			is_sane && DUE(L_SEQ_AGAIN) && AFTER(L_HEAD | L_ENTRY) && !SAME_ENTRY ->
			is_sane = false;
			byte0 = 0;
			byte1 = 0;
			DONE(L_BYTES)
		}
		:: d_step { DUE(L_BYTE0) && AFTER(A_BYTES) -> byte0 = data[pos % B]; DONE(L_BYTE0) }
		:: d_step {
			DUE(L_BYTE1) && AFTER(A_BYTES) ->
			byte1 = data[(pos + 1) % B]; DONE(L_BYTE1)
		}
		:: d_step {
			DUE(L_SEQ_AGAIN) && AFTER(A_AGAIN) ->
			seq_again = index_seq[want % N]; DONE(L_SEQ_AGAIN)
		}
		:: d_step {
			DUE(L_HEAD_AGAIN) && AFTER(A_HEAD) ->
			head_again = shown; DONE(L_HEAD_AGAIN)
		}
		:: d_step {
			whole && DUE(L_INTENT) && AFTER(A_INTENT) ->
			intent_now = intent; DONE(L_INTENT)
		}
		:: d_step {
			!whole && DUE(L_INTENT) && AFTER(A_AGAIN) ->
			intent_now = intent; DONE(L_INTENT)
		}
		:: todo == 0 -> break
		od;
		atomic {
			if
			:: want > head_now -> skip /* EMPTY */
			:: TOO_OLD(want, head_now) -> assert(TOO_OLD(want, head))
			:: else ->
				if
				:: whole -> judge_record()
				:: else -> judge_readable()
				fi
			fi
		}
		if
		:: want > head_now -> shown != head_now; goto again /* sleeps: wake.pml */
		:: else
		fi;
		atomic {
			seq = 0; pos = 0; size = 0; byte0 = 0; byte1 = 0; seq_again = 0;
			head_now = 0; head_again = 0; intent_now = 0; is_sane = false; whole = false;
			was_read = true
		}
}
