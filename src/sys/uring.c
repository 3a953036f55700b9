/*
 * Why this file exists: a system call for each client costs more than all that the gateway does for that
 * client itself, and io_uring needs one for a thousand of them.
 *
 * That nothing is under way after uring_submit rests on this: a request whose MSG_DONTWAIT send is not ready
 * ends with EAGAIN where it is issued, it is neither polled for nor handed to another thread; and requests are
 * issued in the system call that submits them.
 */
#include "sys/uring.h"

#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"

struct uring {
	struct io_uring ring;
	unsigned sends, files;
	unsigned added;
};

/* liburing 2.3 declares functions for restrictions, but its library lacks them. */
static int
register_at(const struct io_uring *ring, unsigned opcode, const void *arg, unsigned count)
{
	return syscall(__NR_io_uring_register, ring->ring_fd, opcode, arg, count) < 0 ? -errno : 0;
}

static int
restrict_to_sends(const struct io_uring *ring)
{
	const struct io_uring_restriction allowed[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_SEND },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		    .sqe_flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		    .register_op = IORING_REGISTER_FILES_UPDATE },
	};

	return register_at(ring, IORING_REGISTER_RESTRICTIONS, allowed, ARRAY_LEN(allowed));
}

/* What is registered before the restrictions hold, and then they do. */
static int
prepare(struct io_uring *ring, unsigned files)
{
	int r = io_uring_register_files_sparse(ring, files);

	if (r < 0)
		return r;
	r = io_uring_register_ring_fd(ring);
	if (r < 0)
		return r;
	r = restrict_to_sends(ring);
	return r < 0 ? r : register_at(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int
uring_open(unsigned sends, unsigned files, struct uring **ret)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
	};
	struct uring *uring = mem_zalloc(sizeof(*uring));
	int r;

	if (uring == NULL)
		return -ENOMEM;
	r = io_uring_queue_init_params(sends, &uring->ring, &params);
	if (r < 0) {
		mem_free(uring);
		return r;
	}
	uring->sends = sends;
	uring->files = files;
	r = (params.features & IORING_FEAT_CQE_SKIP) != 0 ? prepare(&uring->ring, files) : -ENOSYS;
	if (r < 0) {
		uring_close(uring);
		return r;
	}
	*ret = uring;
	return 0;
}

void
uring_close(struct uring *uring)
{
	if (uring == NULL)
		return;
	io_uring_queue_exit(&uring->ring);
	mem_free(uring);
}

static int
set_file(struct uring *uring, int at, int fd)
{
	int r;

	if (at < 0 || (unsigned)at >= uring->files)
		return -EBADF;
	r = io_uring_register_files_update(&uring->ring, (unsigned)at, &fd, 1);
	return r < 0 ? r : 0;
}

int
uring_know(struct uring *uring, int fd)
{
	return set_file(uring, fd, fd);
}

void
uring_forget(struct uring *uring, int fd)
{
	/* Fails only for a number that was never known. */
	(void)set_file(uring, fd, -1);
}

unsigned
uring_room(const struct uring *uring)
{
	return uring->sends - uring->added;
}

void
uring_add(struct uring *uring, int fd, struct span bytes, void *owner)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe == NULL) /* beyond uring_room */
		return;
	io_uring_prep_send(sqe, fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data(sqe, owner);
	uring->added++;
}

unsigned
uring_submit(struct uring *uring)
{
	unsigned added = uring->added, taken = 0;

	uring->added = 0;
	while (taken < added) {
		int r = io_uring_submit(&uring->ring);

		if (r > 0)
			taken += (unsigned)r;
		else if (r != -EINTR)
			break;
	}
	return taken;
}

bool
uring_next(struct uring *uring, void **ret_owner, int *ret_sent)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&uring->ring, &cqe) != 0)
		return false;
	*ret_owner = io_uring_cqe_get_data(cqe);
	*ret_sent = cqe->res;
	io_uring_cqe_seen(&uring->ring, cqe);
	return true;
}
