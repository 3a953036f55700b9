/*
 * One mailbox: writers that are killed anywhere, its reader and the reader's successor, and the
 * supervisor that clears up in between.
 *
 * Models, access by access:
 *   src/bus/mailbox.c  mailbox_send, send_locked, find_room, put, mailbox_receive, copy_mail, get,
 *                      mailbox_reserve, reserve_locked, mailbox_unreserve, mailbox_clear, drop_all,
 *                      mailbox_mend
 *   src/bus/segment.c  segment_clear_slot (clears before the successor is started)
 *
 * The lock is that of lock.inc.
 *
 * Shown, for every run within the bounds:
 *   - mail that was committed is received once, in order, and whole, without the help of the
 *     checksum, which is not modelled; or it is dropped because its reader died. An answered
 *     send is a committed one. Who dies before committing sent nothing;
 *   - the successor receives nothing that was dropped, and finds nothing reserved;
 *   - `taken`, `written` and the bytes between them are sane whenever somebody looks;
 *   - mail that uses the reserve finds room;
 *   - the lock is always recovered, and at rest nothing is left: no mail, no lock, no reserve.
 *
 * Weak memory: as in ring.pml. `todo` holds the accesses not yet made, AFTER() those that must be
 * made before. The reader's stores of `taken` and `reserved` are seen by others later, each at any
 * time until the reader gives back the lock (own_taken, own_reserved; the process `memory`).
 * find_room() loads `taken` by acquire, which C demands; no fault is planted there, since the
 * stores behind it depend on what was loaded, and no machine makes a store before it is certain.
 *
 * Abstractions: a mail is a header of one unit and a body of none or one; the header is two
 * words, its length and all else. Each word but the length carries the number of the send, so that
 * equal contents hide nothing. The size is four units: positions wrap, mail too, and half of it may
 * be reserved. One process stands for all writers, since they touch shared words under the lock
 * only, and whoever has it goes on where the one before stopped or died. Timing out while waiting
 * for the lock is like not asking, except in drop_all(), where it is modelled. `ask` stands for a
 * request to another process, which answers it by one mail of one unit that uses the reserve.
 *
 * What it does not show: that a reader is woken (wake.pml); what MAILBOX_DAMAGED does to mail,
 * since that needs a foreign hand in the memory; `is_open`; positions of more than 62 bits. An
 * answer to a request of a dead reader, sent when its successor runs, may take the room that the
 * successor reserved, as bus/mailbox.h says: after one that came so late nothing is claimed about
 * the reserve.
 *
 * Bounds: a unit is used again after four: three SENDS with bodies and an answer fill it nearly
 * twice. REQUESTS 2 let one be of a dead reader and one of its successor. KILLS 2: of a writer and
 * of its successor, of the reader and of its successor, or of one of each.
 *
 * Harmless, as runs with SPARE_ in place of FAULT_ show:
 *   SPARE_MEND  without mailbox_mend the next taker recovers the lock; until then it looks held.
 */
#ifndef SENDS
#define SENDS 4
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifdef FAULT_NO_LOCK
#define WRITERS 2 /* of whom one does not wait for the other */
#else
#define WRITERS 1
#endif
#define SIZE 4
#define MAX 2
#define RESERVED_MAX (SIZE / 2)

#include "lock.inc"

byte written = 0;
byte taken = 0;    /* as others see it */
byte reserved = 0; /* as others see it */
byte length[SIZE]; /* body_len: units of the mail */
byte word[SIZE];   /* all else of a header, or a body */

byte own_taken = 0; /* the reader's stores, seen or not */
byte own_reserved = 0;

/* What a request of the reader has come to. */
#define NOT_ASKED 0
#define ASKED 1
#define BEING_ANSWERED 2
#define ANSWERED 3
#define LOST 4 /* the process that was to answer is dead */
#define IS_OPEN(i) (request[i] == ASKED || request[i] == BEING_ANSWERED)
byte request[REQUESTS];
bool is_pending[REQUESTS]; /* in the reader's own memory: its room is to be given back */
bool is_orphan[REQUESTS];  /* the reader that asked is dead */

byte sends = 0;
byte kills = KILLS;
bool reader_is_dead = false;
bool writer_died = false;

/* What the proof knows: mail that waits or is being handed over; an orphan's answer took room. */
chan sent = [SIZE + MAX] of { byte, byte };
bool late = false;

#define AFTER(set) ((todo & (set)) == 0)
#define DUE(one) ((todo & (one)) != 0)
#define DONE(one) todo = todo & ~(one)

/* The number of an answer comes after those of all sends. */
#define NUMBER_OF_ANSWER(i) (SENDS + 1 + (i))
#define IS_ANSWER(number) ((number) > SENDS)
#define REQUEST_OF(number) ((number) - SENDS - 1)

/* The accesses of send_locked(): two loads, find_room()'s verdict, the stores. */
#define L_RESERVED 1
#define L_TAKEN 2
#define S_LENGTH 4
#define S_WORD 8
#define S_BODY 16
#define S_WRITTEN 32
#define S_MAIL (S_LENGTH | S_WORD | S_BODY)

#define B_WRITTEN S_MAIL /* release */
#ifdef FAULT_WRITTEN_RELAXED
#undef B_WRITTEN
#define B_WRITTEN 0
#endif

#ifdef FAULT_NO_LOCK
#define SEND_TAKE lock_consistent
#define SEND_GIVE lock_consistent
#define SEND_DIES skip
#else
#define SEND_TAKE lock_take()
#define SEND_GIVE lock_give()
#define SEND_DIES LOCK_HOLDER_DIES
#endif

/* Inside a d_step: find_room(), for a mail of `size` beside `kept`. */
inline find_room()
{
	assert(seen_taken <= written && written - seen_taken <= SIZE);
#ifdef FAULT_NO_ROOM_CHECK
	has_room = true
#else
	has_room = kept <= SIZE && written - seen_taken + size <= SIZE - kept
#endif
}

active [WRITERS] proctype writer()
{
	byte size, number, kept, seen_taken, at;
	byte todo;
	bool has_room;

end_idle:
	if
	:: d_step { sends < SENDS -> sends++; number = sends; size = 1 }
	:: d_step { sends < SENDS -> sends++; number = sends; size = 2 }
	:: d_step {
		request[0] == ASKED && !is_orphan[0] ->
		request[0] = BEING_ANSWERED;
		number = NUMBER_OF_ANSWER(0);
		size = 1
	}
#if REQUESTS > 1
	:: d_step {
		request[1] == ASKED && !is_orphan[1] ->
		request[1] = BEING_ANSWERED;
		number = NUMBER_OF_ANSWER(1);
		size = 1
	}
#endif
	fi;
	if
	:: SEND_TAKE
	:: d_step { kills > 0 -> kills-- }; goto died
	fi;
	if
	:: lock_recover()
	:: d_step { kills > 0 -> kills-- }; goto killed
	fi;
	d_step {
		todo = L_RESERVED | L_TAKEN;
		if
		:: IS_ANSWER(number) -> DONE(L_RESERVED)
		:: else
		fi;
#ifdef FAULT_RESERVE_IGNORED
		DONE(L_RESERVED);
#endif
	}
	do
	:: d_step { DUE(L_RESERVED) -> kept = reserved; DONE(L_RESERVED) }
	:: d_step { DUE(L_TAKEN) -> seen_taken = taken; DONE(L_TAKEN) }
	:: d_step {
		todo == 0 ->
		find_room();
		at = written;
		assert(has_room || !IS_ANSWER(number) || late || is_orphan[REQUEST_OF(number)]);
		if
		:: has_room && size == MAX -> todo = S_MAIL | S_WRITTEN
		:: has_room && size < MAX -> todo = S_LENGTH | S_WORD | S_WRITTEN
		:: else
		fi;
		kept = 0;
		seen_taken = 0
	}; break
	od;
	do
	:: d_step { DUE(S_LENGTH) -> length[at % SIZE] = size; DONE(S_LENGTH) }
	:: d_step { DUE(S_WORD) -> word[at % SIZE] = number; DONE(S_WORD) }
	:: d_step { DUE(S_BODY) -> word[(at + 1) % SIZE] = number; DONE(S_BODY) }
	:: d_step {
		DUE(S_WRITTEN) && AFTER(B_WRITTEN) ->
		written = at + size;
		assert(nfull(sent));
		sent!number,size;
		if
		:: IS_ANSWER(number) ->
			request[REQUEST_OF(number)] = ANSWERED;
			late = late || is_orphan[REQUEST_OF(number)]
		:: else
		fi;
		DONE(S_WRITTEN)
	}
	:: todo == 0 -> break
	:: d_step { kills > 0 -> kills-- }; goto killed
	od;
	SEND_GIVE;
	d_step {
		/* Without room there is no answer; see the assertion above. */
		if
		:: IS_ANSWER(number) && !has_room -> request[REQUEST_OF(number)] = LOST
		:: else
		fi;
		size = 0; number = 0; at = 0; has_room = false
	};
	goto end_idle;
killed:
	SEND_DIES;
died:
	atomic {
		if
		:: IS_ANSWER(number) -> request[REQUEST_OF(number)] = LOST
		:: else
		fi;
		writer_died = true;
		size = 0; number = 0; kept = 0; seen_taken = 0; at = 0; todo = 0; has_room = false
	};
	goto end_idle /* another one, or the same, started again */
}

/* Stores of the living reader are seen sooner or later, in any order. */
active proctype memory()
{
end_shown:
	do
	:: d_step { !reader_is_dead && taken != own_taken -> taken = own_taken }
	:: d_step { !reader_is_dead && reserved != own_reserved -> reserved = own_reserved }
	od
}

/* The accesses of mailbox_receive(). */
#define L_WRITTEN 1
#define L_LENGTH 2
#define L_WORD 4
#define L_BODY 8
#define S_TAKEN 16
#define L_MAIL (L_LENGTH | L_WORD | L_BODY)

#define A_MAIL L_WRITTEN /* acquire; the address is known before */
#define A_TAKEN (L_WRITTEN | L_MAIL) /* release */
#define MAY_RECEIVE (written != own_taken)

#ifdef FAULT_WRITTEN_ACQUIRE
#undef A_MAIL
#define A_MAIL 0
#undef MAY_RECEIVE
#define MAY_RECEIVE true
#endif
#ifdef FAULT_TAKEN_RELAXED
#undef A_TAKEN
#define A_TAKEN (L_WRITTEN | L_LENGTH) /* its value */
#endif

/* Inside a d_step: the mail was taken, and is handed to the caller. */
inline hand_over()
{
	assert(nempty(sent));
	sent?want_number,want_size;
	assert(size == want_size);
	assert(number == want_number);
	assert(size < MAX || body == number);
	if
	:: IS_ANSWER(number) && is_pending[REQUEST_OF(number)] ->
		gives_back = true;
		i = REQUEST_OF(number)
	:: else
	fi
}

/* mailbox_unreserve(), of one unit. */
inline give_back()
{
	d_step {
		assert(own_reserved > 0);
		own_reserved--;
		is_pending[i] = false;
		gives_back = false;
		i = 0
	}
}

#ifdef FAULT_RESERVE_UNLOCKED
#define RESERVE_TAKE lock_consistent
#define RESERVE_GIVE lock_consistent
#define RESERVE_DIES skip
#else
#define RESERVE_TAKE lock_take()
#define RESERVE_GIVE lock_give()
#define RESERVE_DIES LOCK_HOLDER_DIES
#endif

active proctype reader()
{
	byte size, number, body, i, want_size, want_number, todo;
	bool is_own, gives_back;

end_turn:
	if
	:: MAY_RECEIVE -> goto receive
	:: d_step { request[0] == NOT_ASKED -> i = 0 }; goto ask
	:: d_step { request[0] == LOST && is_pending[0] -> i = 0 }; give_back()
#if REQUESTS > 1
	:: d_step { request[1] == NOT_ASKED && request[0] != NOT_ASKED -> i = 1 }; goto ask
	:: d_step { request[1] == LOST && is_pending[1] -> i = 1 }; give_back()
#endif
	:: d_step { kills > 0 -> kills-- }; goto killed
	fi;
	goto end_turn;

receive:
	todo = L_WRITTEN | L_MAIL | S_TAKEN;
	do
	:: d_step {
		DUE(L_WRITTEN) ->
		DONE(L_WRITTEN);
		assert(own_taken <= written && written - own_taken <= SIZE);
		if
		:: written == own_taken -> todo = 0; size = 0; number = 0; body = 0
		:: else
		fi
	}
	:: d_step {
		DUE(L_LENGTH) && AFTER(A_MAIL) ->
		size = length[own_taken % SIZE];
		DONE(L_LENGTH);
		if
		:: size < MAX -> body = 0; DONE(L_BODY)
		:: else
		fi
	}
	:: d_step { DUE(L_WORD) && AFTER(A_MAIL) -> number = word[own_taken % SIZE]; DONE(L_WORD) }
	:: d_step {
		DUE(L_BODY) && AFTER(A_MAIL) ->
		body = word[(own_taken + 1) % SIZE]; DONE(L_BODY)
	}
	:: d_step {
		DUE(S_TAKEN) && AFTER(A_TAKEN) ->
		/* MAILBOX_DAMAGED never. */
		assert(size >= 1 && size <= MAX && size <= written - own_taken);
		own_taken = own_taken + size;
		DONE(S_TAKEN)
	}
	:: d_step {
		todo == 0 ->
		if
		:: size > 0 -> hand_over()
		:: else
		fi;
		size = 0; number = 0; body = 0; want_size = 0; want_number = 0
	}; break
	:: d_step { kills > 0 -> kills-- }; goto killed
	od;
	if
	:: gives_back -> give_back()
	:: else
	fi;
	goto end_turn;

ask:
	RESERVE_TAKE;
	if
	:: lock_recover()
	:: d_step { kills > 0 -> kills-- }; goto killed_holding
	fi;
	d_step {
		assert(own_taken <= written && written - own_taken <= SIZE);
#ifndef FAULT_RESERVE_BLIND
#define FITS_BESIDE (written - own_taken + own_reserved + 1 <= SIZE)
#else
#define FITS_BESIDE true
#endif
		is_own = own_reserved + 1 <= RESERVED_MAX && FITS_BESIDE
	};
	if
	:: d_step { is_own -> own_reserved++ }
	:: !is_own
	fi;
	if
	:: taken == own_taken && reserved == own_reserved /* release */
	:: d_step { kills > 0 -> kills-- }; goto killed_holding
	fi;
	RESERVE_GIVE;
	d_step {
		if
		:: is_own -> request[i] = ASKED; is_pending[i] = true
		:: else -> request[i] = ANSWERED /* it is not asked, for want of room */
		fi;
		is_own = false;
		i = 0
	};
	goto end_turn;

killed_holding:
	RESERVE_DIES;
killed:
	/* What was not seen yet never happened. */
	atomic {
		own_taken = taken;
		own_reserved = reserved;
		size = 0; number = 0; body = 0; i = 0; todo = 0; is_own = false; gives_back = false;
		is_orphan[0] = is_orphan[0] || IS_OPEN(0);
		is_pending[0] = false;
#if REQUESTS > 1
		is_orphan[1] = is_orphan[1] || IS_OPEN(1);
		is_pending[1] = false;
#endif
		reader_is_dead = true
	};
#ifdef FAULT_START_FIRST
	own_taken = taken;
	own_reserved = reserved;
#else
	!reader_is_dead;
#endif
	goto end_turn
}

/* Inside a d_step: all that was committed until now is dropped. */
inline forget_all()
{
	late = false;
	do
	:: nempty(sent) -> sent?_,_
	:: empty(sent) -> break
	od
}

inline drop_all()
{
#ifdef FAULT_CLEAR_UNLOCKED
	d_step { written = 0; forget_all() }
	taken = 0
#else
	if
	:: lock_take();
		lock_recover();
		d_step { written = 0; forget_all() }
#ifndef FAULT_CLEAR_WRITTEN_ONLY
		taken = 0;
#endif
		lock_give()
	:: d_step { lock == LOCK_HELD -> seen_written = written; forget_all() }
#ifdef FAULT_TIMEOUT_FROM_ZERO
		seen_written = 0;
		written = 0;
#endif
		d_step { taken = seen_written; seen_written = 0 }
	fi
#endif
}

active proctype supervisor()
{
	byte seen_written;

end_wait:
	if
	:: reader_is_dead
	:: atomic { writer_died -> writer_died = false }; goto mend
	fi;
#ifndef FAULT_NO_DROP
	drop_all();
#else
	d_step { forget_all() }
#endif
#ifndef FAULT_RESERVE_STAYS
	reserved = 0;
#endif
	d_step {
		assert(taken <= written && reserved == 0);
		own_taken = taken;
		own_reserved = reserved;
		reader_is_dead = false
	}
mend:
	if
#ifdef SPARE_MEND
	:: lock != LOCK_HELD
#else
	:: lock_take(); lock_recover(); lock_give()
#endif
	:: lock == LOCK_HELD /* it is in use */
	fi;
	goto end_wait
}

/* When nothing moves any more. */
active proctype at_rest()
{
end_watch:
	timeout ->
	assert(empty(sent) && taken == written && own_taken == taken);
#ifdef SPARE_MEND
	assert(reserved == 0 && (lock == LOCK_FREE || lock == LOCK_DEAD))
#else
	assert(reserved == 0 && lock == LOCK_FREE)
#endif
}
