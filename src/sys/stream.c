/*
 * The one place that knows both kinds.
 */
#include "sys/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sockets.h"

void
stream_init(struct stream *s, int fd)
{
	*s = (struct stream){ .fd = fd };
}

ssize_t
stream_read(struct stream *s, char *ret, size_t cap)
{
	ssize_t n;

	if (s->tls != NULL)
		return tls_read(s->tls, ret, cap);
	do
		n = recv(s->fd, ret, cap, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* A part that was not taken whole is the last one. */
static ssize_t
write_tls(struct stream *s, const struct iovec *parts, size_t count)
{
	size_t taken = 0;
	ssize_t n = 0;

	if (count == 0)
		return tls_write(s->tls, SPAN(""));
	for (size_t i = 0; i < count; i++) {
		n = tls_write(s->tls, span_make(parts[i].iov_base, parts[i].iov_len));
		if (n < 0)
			return n;
		taken += (size_t)n;
		if ((size_t)n < parts[i].iov_len)
			break;
	}
	return (ssize_t)taken;
}

ssize_t
stream_write(struct stream *s, const struct iovec *parts, size_t count)
{
	if (s->tls != NULL)
		return write_tls(s, parts, count);
	if (count == 0)
		return 0;
	return socket_send(s->fd, parts, count);
}

int
stream_seal(struct stream *s, struct span bytes, struct buf *out)
{
	return tls_seal(s->tls, bytes, out);
}

int
stream_send_sealed(struct stream *s, struct span sealed)
{
	return tls_send_sealed(s->tls, sealed);
}

bool
stream_owes(const struct stream *s)
{
	return s->tls != NULL && tls_owes(s->tls);
}

bool
stream_is_open(const struct stream *s)
{
	return s->tls == NULL || tls_is_open(s->tls);
}

bool
stream_has_ended(const struct stream *s)
{
	return s->tls != NULL && tls_has_ended(s->tls);
}

bool
stream_is_secure(const struct stream *s)
{
	return s->tls != NULL;
}

bool
stream_is_bare(const struct stream *s)
{
	return s->tls == NULL;
}

void
stream_strip(struct stream *s)
{
	tls_free(s->tls);
	s->tls = NULL;
}

bool
stream_end(struct stream *s)
{
	if (s->tls != NULL)
		tls_end(s->tls);
	if (stream_owes(s))
		return false;
	(void)shutdown(s->fd, SHUT_WR);
	return true;
}

void
stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	if (s->tls != NULL && !tls_owes(s->tls))
		tls_end(s->tls);
	stream_strip(s);
	(void)close(s->fd);
	s->fd = -1;
}

const char *
stream_why(const struct stream *s, int error)
{
	const char *why = error == -EPROTO && s->tls != NULL ? tls_why(s->tls) : NULL;

	return why != NULL ? why : strerror(-error);
}
