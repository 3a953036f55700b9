/*
 * A pipe that takes everything makes a TLS connection that never has to try again with the same bytes.
 */
#include "sys/tls_bio.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>

#include "sys/sockets.h"

enum {
	/* A handshake's flight with many certificates. More only a peer causes that asks and does not read. */
	OWED_MAX = 256 * 1024,
};

static int
on_bio_read(BIO *bio, char *out, size_t cap, size_t *ret)
{
	struct tls_pipe *pipe = BIO_get_data(bio);
	size_t n = min_size(cap, pipe->wire.n);

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(out, pipe->wire.p, n);
	pipe->wire = span_skip(pipe->wire, n);
	*ret = n;
	return 1;
}

static ssize_t
send_some(int fd, struct span bytes)
{
	const struct iovec part = { .iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n };

	return socket_send(fd, &part, 1);
}

static bool
keep(struct tls_pipe *pipe, struct span rest)
{
	if (rest.n > 0)
		buf_append_span(&pipe->owed, rest);
	if (buf_status(&pipe->owed) != 0)
		pipe->error = ENOMEM;
	else if (pipe->owed.len > OWED_MAX)
		pipe->error = ENOBUFS;
	return pipe->error == 0;
}

static bool
put_aside(struct tls_pipe *pipe, struct span bytes)
{
	buf_append_span(pipe->aside, bytes);
	if (buf_status(pipe->aside) != 0)
		pipe->error = ENOMEM;
	return pipe->error == 0;
}

static int
on_bio_write(BIO *bio, const char *bytes, size_t n, size_t *ret)
{
	struct tls_pipe *pipe = BIO_get_data(bio);
	struct span all = span_make(bytes, n);
	bool is_taken;

	BIO_clear_retry_flags(bio);
	is_taken = pipe->aside != NULL ? put_aside(pipe, all) : tls_pipe_send(pipe, all) == 0;
	if (is_taken)
		*ret = n;
	return is_taken;
}

static long
on_bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return what == BIO_CTRL_FLUSH;
}

struct bio_method_st *
tls_bio_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lurkbot");

	if (method == NULL || BIO_meth_set_read_ex(method, on_bio_read) != 1 ||
	    BIO_meth_set_write_ex(method, on_bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, on_bio_ctrl) != 1) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

int
tls_pipe_send(struct tls_pipe *pipe, struct span bytes)
{
	ssize_t sent = 0;

	if (pipe->error == 0 && pipe->owed.len == 0)
		sent = send_some(pipe->fd, bytes);
	if (sent < 0)
		pipe->error = (int)-sent;
	if (pipe->error == 0)
		(void)keep(pipe, span_skip(bytes, (size_t)sent));
	return -pipe->error;
}

int
tls_pipe_pay(struct tls_pipe *pipe)
{
	ssize_t n;

	if (pipe->error != 0 || pipe->owed.len == 0)
		return -pipe->error;
	n = send_some(pipe->fd, buf_span(&pipe->owed));
	if (n < 0)
		pipe->error = (int)-n;
	else if ((size_t)n == pipe->owed.len)
		buf_fini(&pipe->owed);
	else
		buf_consume(&pipe->owed, (size_t)n);
	return -pipe->error;
}

void
tls_pipe_fini(struct tls_pipe *pipe)
{
	buf_fini(&pipe->owed);
}
