/*
 * Lets allocations fail on demand. Linked into every unit test; what is denied and counted are the
 * allocations of base/alloc.h.
 */
#pragma once

struct buf;

/* Lets the n-th allocation from now on fail (1: the next one), and no other. 0: none fails. */
void support_alloc_fail_at(unsigned n);

/* Lets every allocation fail from now on, until support_alloc_fail_at is called. */
void support_alloc_fail_all(void);

/* How many allocations were asked for since support_alloc_fail_at was last called. */
unsigned support_alloc_count(void);

/*
 * Calls attempt with arg again and again, the first time with the first allocation failing, then
 * the second, and so on, until one call needs fewer allocations than that: so every failure was
 * met once. attempt checks for itself that it leaves things right. Returns how many failures that
 * made.
 */
unsigned support_alloc_try_each(void (*attempt)(void *arg), void *arg);

/*
 * Calls write with a buffer that has room for no byte and cannot grow, then for one, and so on until
 * all fits: so the writing breaks off at each byte once. Returns how often it did; wants each of them
 * told by buf_status, and nothing beyond the room.
 */
unsigned support_alloc_break_off(void (*write)(struct buf *out, void *arg), void *arg);
