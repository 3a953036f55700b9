/*
 * A recipient that cannot take everything at once has broken the loop's one assumption, that whoever
 * measures it reads what it is sent, and is dropped.
 */
#include "sender.h"

#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/frame.h"

struct sender {
	enum sender_kind kind;
	struct io_uring ring;
	unsigned files, used; /* slots of the table */
	int *free_slots;      /* of those that were used before */
	unsigned free_count;
};

static const char *const names[] = {
	[SENDER_EACH] = "each",
	[SENDER_RUN] = "send",
	[SENDER_URING] = "io_uring",
};

static void
die(const char *what, int error)
{
	fprintf(stderr, "bareloop: %s: %s\n", what, strerror(error));
	exit(1);
}

static void
send_one(struct recipient *r, struct span bytes)
{
	ssize_t n = send(r->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 || (size_t)n != bytes.n)
		r->is_broken = true;
}

static void
send_each(struct recipient **recipients, size_t count, struct span frames)
{
	while (frames.n > 0) {
		struct span frame = span_make(frames.p, (size_t)frame_total(frames));

		for (size_t i = 0; i < count; i++)
			send_one(recipients[i], frame);
		frames = span_skip(frames, frame.n);
	}
}

static void
send_run(struct recipient **recipients, size_t count, struct span frames)
{
	for (size_t i = 0; i < count; i++)
		send_one(recipients[i], frames);
}

static void
ring_open(struct sender *s, unsigned files)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN };
	int rc = io_uring_queue_init_params(SENDER_BATCH, &s->ring, &params);

	if (rc < 0)
		die("io_uring", -rc);
	rc = io_uring_register_files_sparse(&s->ring, files);
	if (rc < 0)
		die("io_uring files", -rc);
	s->files = files;
	s->free_slots = calloc(files, sizeof(*s->free_slots));
	if (s->free_slots == NULL)
		die("io_uring", 12);
}

static void
ring_set(struct sender *s, int slot, int fd)
{
	int rc = io_uring_register_files_update(&s->ring, (unsigned)slot, &fd, 1);

	if (rc < 0)
		die("io_uring files", -rc);
}

/* Success says nothing; a completion is a recipient that did not take all. */
static void
submit(struct sender *s, size_t bytes)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int rc = io_uring_submit(&s->ring);

	if (rc < 0)
		die("io_uring", -rc);
	io_uring_for_each_cqe(&s->ring, head, cqe)
	{
		struct recipient *r = io_uring_cqe_get_data(cqe);

		if (cqe->res < 0 || (size_t)cqe->res != bytes)
			r->is_broken = true;
		seen++;
	}
	io_uring_cq_advance(&s->ring, seen);
}

static void
send_uring(struct sender *s, struct recipient **recipients, size_t count, struct span frames)
{
	for (size_t i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

		if (sqe == NULL) {
			submit(s, frames.n);
			sqe = io_uring_get_sqe(&s->ring);
		}
		io_uring_prep_send(sqe, recipients[i]->slot, frames.p, frames.n,
		    MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL);
		io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
		io_uring_sqe_set_data(sqe, recipients[i]);
	}
	submit(s, frames.n);
}

const char *
sender_name(enum sender_kind kind)
{
	return names[kind];
}

bool
sender_is_supported(enum sender_kind kind)
{
	return kind < SENDER_KINDS;
}

struct sender *
sender_new(enum sender_kind kind, unsigned files)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL)
		die("sender", 12);
	s->kind = kind;
	if (kind == SENDER_URING)
		ring_open(s, files);
	return s;
}

void
sender_add(struct sender *s, struct recipient *r)
{
	r->slot = -1;
	if (s->kind != SENDER_URING)
		return;
	if (s->free_count > 0)
		r->slot = s->free_slots[--s->free_count];
	else if (s->used < s->files)
		r->slot = (int)s->used++;
	else
		die("io_uring files", 24);
	ring_set(s, r->slot, r->fd);
}

void
sender_remove(struct sender *s, struct recipient *r)
{
	if (r->slot < 0)
		return;
	ring_set(s, r->slot, -1);
	s->free_slots[s->free_count++] = r->slot;
	r->slot = -1;
}

void
sender_send(struct sender *s, struct recipient **recipients, size_t count, struct span frames)
{
	switch (s->kind) {
	case SENDER_EACH:
		send_each(recipients, count, frames);
		break;
	case SENDER_RUN:
		send_run(recipients, count, frames);
		break;
	case SENDER_URING:
		send_uring(s, recipients, count, frames);
		break;
	case SENDER_KINDS:
		break;
	}
}
