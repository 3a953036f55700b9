/*
 * OpenSSL sees neither socket nor readiness, see sys/tls_bio; so all that it ever lacks is input.
 */
#include "sys/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "sys/tls_bio.h"
#include "sys/tls_context.h"

enum { HANDSHAKE_RECORD = 0x16 }; /* RFC 8446 section 5.1: the first byte of every TLS connection */

struct tls {
	struct tls_context *context;
	SSL *ssl; /* NULL: nothing came yet */
	struct tls_pipe pipe;
	const char *why;
	bool is_open;	/* the handshake is over, and nothing has gone wrong since */
	bool is_broken; /* nothing more may be said */
	bool has_ended; /* the peer has */
};

/* --- life ----------------------------------------------------------------------------------------- */

static struct tls *
tls_new(struct tls_context *context, int fd)
{
	struct tls *tls = mem_zalloc(sizeof(*tls));

	if (tls == NULL)
		return NULL;
	tls->context = tls_context_ref(context);
	tls->pipe.fd = fd;
	return tls;
}

/* Makes what OpenSSL needs; false without memory. */
static bool
begin(struct tls *tls)
{
	BIO *bio = BIO_new(tls_context_bio_method(tls->context));

	if (bio == NULL)
		return false;
	tls->ssl = SSL_new(tls_context_ssl(tls->context));
	if (tls->ssl == NULL) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, &tls->pipe);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return true;
}

struct tls *
tls_accept(struct tls_context *context, int fd)
{
	return tls_new(context, fd);
}

static bool
expect_host(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *
tls_connect(struct tls_context *context, int fd, const char *host)
{
	struct tls *tls = tls_new(context, fd);

	if (tls == NULL)
		return NULL;
	if (!begin(tls) || !expect_host(tls->ssl, host)) {
		tls_free(tls);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_connect_state(tls->ssl);
	/* It wants an answer; what else becomes of it tls_read finds out. */
	(void)SSL_do_handshake(tls->ssl);
	ERR_clear_error();
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	tls_context_unref(tls->context);
	tls_pipe_fini(&tls->pipe);
	mem_free(tls);
}

/* --- reading -------------------------------------------------------------------------------------- */

/* What the certificate lacks says more than that it was refused. */
static const char *
explain(const struct tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);
	unsigned long error = ERR_peek_last_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

	if (verified != X509_V_OK && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE)
		return X509_verify_cert_error_string(verified);
	return reason != NULL ? reason : "the connection was broken off";
}

static int
fail(struct tls *tls)
{
	int error = tls->pipe.error != 0 ? tls->pipe.error : EPROTO;

	tls->is_broken = true;
	tls->is_open = false;
	tls->why = tls->pipe.error != 0 ? "the socket has failed" : explain(tls);
	ERR_clear_error();
	return -error;
}

/* Decrypts all that came. */
static ssize_t
take_wire(struct tls *tls, char *out, size_t cap)
{
	size_t got = 0, n;

	ERR_clear_error();
	while (got < cap && SSL_read_ex(tls->ssl, out + got, cap - got, &n) == 1)
		got += n;
	tls->is_open = SSL_is_init_finished(tls->ssl) == 1;
	if (got == cap)
		return -EMSGSIZE; /* the room that is asked for makes it impossible */
	switch (SSL_get_error(tls->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_ZERO_RETURN:
		tls->has_ended = true;
		break;
	default:
		return fail(tls);
	}
	if (got > 0)
		return (ssize_t)got;
	return tls->has_ended ? 0 : -EAGAIN;
}

/* Looks at the first byte: only one who speaks TLS is worth the memory. */
static int
greet(struct tls *tls)
{
	unsigned char first;
	ssize_t n = recv(tls->pipe.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n == 0 ? 0 : -errno;
	if (first != HANDSHAKE_RECORD)
		return -EPROTONOSUPPORT;
	if (!begin(tls))
		return -ENOMEM;
	SSL_set_accept_state(tls->ssl);
	return 1;
}

ssize_t
tls_read(struct tls *tls, char *ret, size_t cap)
{
	char wire[TLS_WIRE_BYTES];
	ssize_t n = tls->ssl == NULL ? greet(tls) : 1;

	if (n <= 0 || tls->has_ended)
		return tls->has_ended ? 0 : n;
	if (tls->is_broken)
		return -EPROTO;
	do
		n = recv(tls->pipe.fd, wire, sizeof(wire), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	tls->pipe.wire = span_make(wire, (size_t)n);
	n = take_wire(tls, ret, cap);
	tls->pipe.wire = SPAN("");
	return n;
}

/* --- writing -------------------------------------------------------------------------------------- */

ssize_t
tls_write(struct tls *tls, struct span bytes)
{
	size_t taken = 0, n;
	int r = tls->is_broken ? -EPROTO : tls_pipe_pay(&tls->pipe);

	if (r < 0)
		return fail(tls);
	if (!tls->is_open)
		return 0;
	while (taken < bytes.n && tls->pipe.owed.len == 0) {
		if (SSL_write_ex(tls->ssl, bytes.p + taken,
			min_size(bytes.n - taken, TLS_RECORD_TEXT), &n) != 1)
			return fail(tls);
		taken += n;
	}
	return (ssize_t)taken;
}

int
tls_seal(struct tls *tls, struct span bytes, struct buf *out)
{
	size_t n;
	bool is_sealed;

	if (tls->is_broken || !tls->is_open || tls->pipe.owed.len > 0)
		return -EPROTO;
	tls->pipe.aside = out;
	is_sealed = SSL_write_ex(tls->ssl, bytes.p, bytes.n, &n) == 1 && n == bytes.n;
	tls->pipe.aside = NULL;
	return is_sealed ? 0 : fail(tls);
}

int
tls_send_sealed(struct tls *tls, struct span sealed)
{
	return tls_pipe_send(&tls->pipe, sealed) < 0 ? fail(tls) : 0;
}

bool
tls_owes(const struct tls *tls)
{
	return tls->pipe.owed.len > 0;
}

bool
tls_is_open(const struct tls *tls)
{
	return tls->is_open;
}

bool
tls_has_ended(const struct tls *tls)
{
	return tls->has_ended;
}

bool
tls_is_resumed(const struct tls *tls)
{
	return tls->ssl != NULL && SSL_session_reused(tls->ssl) == 1;
}

void
tls_end(struct tls *tls)
{
	if (tls_is_open(tls) && (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) == 0)
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

const char *
tls_why(const struct tls *tls)
{
	return tls->why;
}
