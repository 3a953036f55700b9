/*
 * Streams by TLS, with OpenSSL's own client at the other end: what is taken arrives, whatever the socket takes,
 * and nothing that a peer does is more than the end of its connection.
 */
#include "support_tls.h"

#include "base/clock.h"
#include "support_alloc.h"

enum { MANY = 400 * 1000, EPOCH_MS = TICKETS_EPOCH_S * 1000 };

struct stage {
	struct identity id;
	struct tickets tickets;
	struct tls_context *context;
	SSL_CTX *client;
	struct couple couple;
};

static int
set_up(void **state)
{
	struct stage *s = test_calloc(1, sizeof(*s));

	identity_make(&s->id);
	assert_int_equal(tickets_init(&s->tickets, clock_mono_ms()), 0);
	s->context = identity_serve(&s->id, &s->tickets);
	s->client = SSL_CTX_new(TLS_client_method());
	assert_non_null(s->client);
	couple_open(&s->couple, s->context, s->client);
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct stage *s = *state;

	couple_close(&s->couple);
	SSL_CTX_free(s->client);
	tls_context_unref(s->context);
	identity_fini(&s->id);
	test_free(s);
	return 0;
}

static ssize_t
write_span(struct stream *stream, struct span bytes)
{
	const struct iovec part = { (void *)(uintptr_t)bytes.p, bytes.n };

	return stream_write(stream, &part, bytes.n > 0);
}

/* --- whole streams -------------------------------------------------------------------------------- */

static void
a_handshake_is_driven_by_reading(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;

	assert_false(stream_is_open(&c->server));
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), -EAGAIN);
	assert_int_equal(write_span(&c->server, SPAN("too early")), 0);
	assert_int_equal(couple_shake(c), -EAGAIN);
	assert_true(stream_is_open(&c->server));
	assert_true(stream_is_secure(&c->server));
	assert_false(stream_is_bare(&c->server));
	assert_false(tls_is_resumed(c->server.tls));
	assert_int_equal(SSL_write(c->client, "ping", 4), 4);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 4);
	assert_memory_equal(c->text, "ping", 4);
	assert_int_equal(write_span(&c->server, SPAN("pong")), 4);
	assert_int_equal(SSL_read(c->client, c->text, 100), 4);
	assert_memory_equal(c->text, "pong", 4);
}

static char
byte_at(size_t i)
{
	return (char)(i * 31 + i / 251);
}

/* The socket takes a few kB at a time; the client reads seldom. */
static void
what_is_taken_arrives_whatever_the_socket_takes(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	char *all = test_malloc(MANY), *got = test_malloc(MANY);
	size_t taken = 0, received = 0;
	const int small = 4096;
	bool has_owed = false;

	for (size_t i = 0; i < MANY; i++)
		all[i] = byte_at(i);
	setsockopt(c->server.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(couple_shake(c), -EAGAIN);
	while (received < MANY) {
		size_t n = min_size(MANY - taken, 1 + taken % 50000);
		ssize_t w = write_span(&c->server, span_make(all + taken, n));
		int r;

		assert_true(w >= 0);
		taken += (size_t)w;
		has_owed |= stream_owes(&c->server);
		/* While it owes it takes nothing more, so what it holds is bounded. */
		if (stream_owes(&c->server))
			assert_int_equal(write_span(&c->server, SPAN("x")), 0);
		while ((r = SSL_read(c->client, got + received, (int)(MANY - received))) > 0)
			received += (size_t)r;
		assert_int_equal(SSL_get_error(c->client, r), SSL_ERROR_WANT_READ);
	}
	assert_true(has_owed);
	assert_false(stream_owes(&c->server));
	assert_int_equal(taken, MANY);
	assert_memory_equal(all, got, MANY);
	test_free(all);
	test_free(got);
}

/* For some, and then sent to each: the same bytes, also where the socket takes a few of them only. */
static void
what_was_sealed_before_arrives(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	struct buf sealed = { 0 };
	char *text = test_malloc(STREAM_SEALED_MAX);
	const int small = 4096;
	size_t received = 0, rounds = 0;
	bool has_owed = false;

	for (size_t i = 0; i < STREAM_SEALED_MAX; i++)
		text[i] = byte_at(i);
	setsockopt(c->server.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(couple_shake(c), -EAGAIN);
	while (rounds < 20 || stream_owes(&c->server)) {
		char got[4000];
		int r;

		if (!stream_owes(&c->server)) {
			buf_reset(&sealed);
			assert_int_equal(stream_seal(&c->server,
					     span_make(text, STREAM_SEALED_MAX - rounds), &sealed),
			    0);
			assert_true(sealed.len > STREAM_SEALED_MAX - rounds++);
			assert_int_equal(stream_send_sealed(&c->server, buf_span(&sealed)), 0);
			received = 0;
		}
		has_owed |= stream_owes(&c->server);
		while ((r = SSL_read(c->client, got, sizeof(got))) > 0) {
			assert_memory_equal(got, text + received, (size_t)r);
			received += (size_t)r;
		}
		assert_int_equal(stream_write(&c->server, NULL, 0), 0);
	}
	while (received < STREAM_SEALED_MAX - (rounds - 1)) {
		char got[4000];
		int r = SSL_read(c->client, got, sizeof(got));

		assert_true(r > 0);
		assert_memory_equal(got, text + received, (size_t)r);
		received += (size_t)r;
	}
	assert_true(has_owed);
	buf_fini(&sealed);
	test_free(text);
}

/* All records that one read of the socket brings are decrypted by it. */
static void
nothing_waits_unseen(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	ssize_t n;
	size_t total = 0;

	assert_int_equal(couple_shake(c), -EAGAIN);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(SSL_write(c->client, "0123456789", 10), 10);
	n = stream_read(&c->server, c->text, sizeof(c->text));
	assert_int_equal(n, 2000);
	for (unsigned i = 0; i < 200 * 10; i++)
		assert_int_equal(c->text[i], '0' + i % 10);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), -EAGAIN);
	/* More than one read takes, with records that end anywhere. */
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(SSL_write(c->client, c->text, 3000), 3000);
	while ((n = stream_read(&c->server, c->text, sizeof(c->text))) > 0)
		total += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(total, 40 * 3000);
}

/* --- ends ----------------------------------------------------------------------------------------- */

static void
an_end_is_told_and_heard(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	char byte;

	assert_int_equal(couple_shake(c), -EAGAIN);
	assert_true(stream_end(&c->server));
	assert_int_equal(SSL_read(c->client, &byte, 1), 0);
	assert_int_equal(SSL_get_error(c->client, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(SSL_shutdown(c->client), 1);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 0);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 0);
}

/* Data and the end behind it come by one read, and the socket has nothing more to say. */
static void
an_end_without_the_sockets_is_known_at_once(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;

	assert_int_equal(couple_shake(c), -EAGAIN);
	assert_false(stream_has_ended(&c->server));
	assert_int_equal(SSL_write(c->client, "last", 4), 4);
	assert_int_equal(SSL_shutdown(c->client), 0);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 4);
	assert_true(stream_has_ended(&c->server));
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 0);
}

static void
a_peer_that_is_gone_is_an_end(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;

	assert_int_equal(couple_shake(c), -EAGAIN);
	/* What was sent to it has to be read: unread bytes would reset the connection. */
	(void)SSL_read(c->client, c->text, 1);
	close(c->client_fd);
	c->client_fd = -1;
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 0);
	assert_true(write_span(&c->server, SPAN("to nobody")) < 0);
	assert_string_equal(stream_why(&c->server, -EPROTO), "the socket has failed");
}

static void
a_peer_without_tls_is_read_as_it_is(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;

	assert_int_equal(write(c->client_fd, "GET /", 5), 5);
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), -EPROTONOSUPPORT);
	stream_strip(&c->server);
	assert_true(stream_is_bare(&c->server) && stream_is_open(&c->server));
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), 5);
	assert_memory_equal(c->text, "GET /", 5);
}

static void
noise_is_an_error_with_a_name(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	static const char noise[] = "\x16\x03\x01\x00\x02zz and so on";

	assert_int_equal(write(c->client_fd, noise, sizeof(noise)), sizeof(noise));
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), -EPROTO);
	assert_non_null(stream_why(&c->server, -EPROTO));
	assert_int_equal(stream_read(&c->server, c->text, sizeof(c->text)), -EPROTO);
	assert_int_equal(write_span(&c->server, SPAN("x")), -EPROTO);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Each makes the server answer; one who does not read the answers must not make it keep them for ever. */
static void
one_who_asks_and_does_not_read_is_broken_off(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	const int small = 4096;
	ssize_t n = -EAGAIN;

	setsockopt(c->server.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(couple_shake(c), -EAGAIN);
	for (unsigned i = 0; i < 100000 && n == -EAGAIN; i++) {
		assert_int_equal(SSL_key_update(c->client, SSL_KEY_UPDATE_REQUESTED), 1);
		if (SSL_do_handshake(c->client) != 1)
			break;
		n = stream_read(&c->server, c->text, sizeof(c->text));
	}
	assert_true(n == -ENOBUFS || n == -EAGAIN);
}

/* --- sessions ------------------------------------------------------------------------------------- */

/* Another connection of the same client, to a server of these tickets; whether it was resumed. */
static bool
comes_back(struct stage *s, SSL_SESSION *session, struct tickets *tickets)
{
	struct tls_context *context = identity_serve(&s->id, tickets);
	/* OpenSSL takes one that was of no use once for useless. */
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	struct couple c;
	bool is_resumed;

	couple_open(&c, context, s->client);
	assert_int_equal(SSL_set_session(c.client, copy), 1);
	SSL_SESSION_free(copy);
	assert_int_equal(couple_shake(&c), -EAGAIN);
	assert_true(stream_is_open(&c.server));
	is_resumed = tls_is_resumed(c.server.tls);
	assert_int_equal(SSL_session_reused(c.client), is_resumed);
	couple_close(&c);
	tls_context_unref(context);
	return is_resumed;
}

static void
tickets_are_good_wherever_their_keys_are(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	struct tickets copy = s->tickets, other;
	SSL_SESSION *session;
	char byte;

	assert_int_equal(couple_shake(c), -EAGAIN);
	(void)SSL_read(c->client, &byte, 1); /* the ticket comes behind the handshake */
	session = SSL_get1_session(c->client);
	assert_true(SSL_SESSION_is_resumable(session));
	assert_true(comes_back(s, session, &copy));
	assert_int_equal(tickets_init(&other, clock_mono_ms()), 0);
	assert_false(comes_back(s, session, &other));
	assert_false(comes_back(s, session, NULL));
	/* One epoch later, and two. */
	assert_int_equal(tickets_advance(&copy, copy.begin_ms + EPOCH_MS), 0);
	assert_true(comes_back(s, session, &copy));
	assert_int_equal(tickets_advance(&copy, copy.begin_ms + UINT64_C(2) * EPOCH_MS), 0);
	assert_false(comes_back(s, session, &copy));
	SSL_SESSION_free(session);
}

/* --- certificates --------------------------------------------------------------------------------- */

static void
expect_fault(struct span cert, struct span key, bool is_key, const char *text)
{
	const struct tls_server_options options = { .cert = cert, .key = key };
	struct tls_context *context = NULL;
	struct tls_fault fault = { 0 };

	assert_int_equal(tls_server_new(&options, &context, &fault), -EINVAL);
	assert_null(context);
	assert_int_equal(fault.is_key, is_key);
	assert_non_null(strstr(fault.text, text));
	assert_int_equal(ERR_peek_error(), 0);
}

static void
what_cannot_be_used_is_blamed(void **state)
{
	struct stage *s = *state;
	struct span cert = buf_span(&s->id.cert), key = buf_span(&s->id.key);
	struct identity other;
	struct buf chain = { 0 };

	identity_make(&other);
	expect_fault(SPAN(""), key, false, "must hold a certificate");
	expect_fault(SPAN("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key,
	    false, "must hold a certificate");
	expect_fault(cert, SPAN(""), true, "must hold a private key");
	expect_fault(cert, cert, true, "must hold a private key");
	expect_fault(cert, buf_span(&other.key), true, "does not belong to the certificate");
	buf_append_span(&chain, cert);
	buf_append_cstr(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	expect_fault(buf_span(&chain), key, false, "behind the first");
	identity_fini(&other);
	buf_fini(&chain);
}

static void
a_certificate_says_when_it_ends(void **state)
{
	const struct stage *s = *state;
	uint64_t end_ms = clock_real_ms() + UINT64_C(1000) * SUPPORT_TLS_DAYS * 24 * 3600;

	assert_in_range(tls_expires_ms(s->context), end_ms - 60000, end_ms);
}

/* --- our own client, and memory ------------------------------------------------------------------- */

static ssize_t
shake_own(struct stream *server, struct stream *client, char *text)
{
	ssize_t n = -EAGAIN, m = -EAGAIN;

	for (unsigned i = 0; i < 8 && n == -EAGAIN && m == -EAGAIN; i++) {
		n = stream_read(server, text, STREAM_READ_MIN);
		m = stream_read(client, text, STREAM_READ_MIN);
	}
	return m;
}

static void
the_own_client_trusts_nobody_unknown(void **state)
{
	struct stage *s = *state;

	for (int is_insecure = 0; is_insecure < 2; is_insecure++) {
		struct tls_context *context;
		struct stream server, client;
		int fds[2];
		ssize_t n;

		assert_int_equal(tls_client_new(NULL, is_insecure, &context), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		stream_init(&server, fds[0]);
		stream_init(&client, fds[1]);
		server.tls = tls_accept(s->context, fds[0]);
		client.tls = tls_connect(context, fds[1], "localhost");
		tls_context_unref(context);
		assert_non_null(client.tls);
		n = shake_own(&server, &client, s->couple.text);
		assert_int_equal(n, is_insecure ? -EAGAIN : -EPROTO);
		assert_int_equal(stream_is_open(&client), is_insecure);
		if (!is_insecure)
			assert_string_equal(
			    stream_why(&client, -EPROTO), "self-signed certificate");
		stream_close(&client);
		stream_close(&server);
	}
	assert_int_equal(
	    tls_client_new("/dev/null", false, &(struct tls_context *){ NULL }), -EINVAL);
}

static void
try_serving(void *arg)
{
	struct stage *s = arg;
	const struct tls_server_options options = { .cert = buf_span(&s->id.cert),
		.key = buf_span(&s->id.key) };
	struct tls_context *context = NULL;
	struct tls_fault fault;
	struct tls *tls;

	if (tls_server_new(&options, &context, &fault) < 0) {
		assert_null(context);
		return;
	}
	tls = tls_accept(context, s->couple.server.fd);
	tls_context_unref(context);
	tls_free(tls);
}

static void
without_memory_there_is_nothing_half_made(void **state)
{
	assert_true(support_alloc_try_each(try_serving, *state) >= 2);
}

/* What the kernel does not take has to be kept: without memory that is the end. */
static void
without_memory_a_stream_breaks_off(void **state)
{
	struct stage *s = *state;
	struct couple *c = &s->couple;
	char text[16384] = { 0 };
	const int small = 4096;
	ssize_t n;

	setsockopt(c->server.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(couple_shake(c), -EAGAIN);
	support_alloc_fail_all();
	do
		n = write_span(&c->server, span_make(text, sizeof(text)));
	while (n > 0);
	support_alloc_fail_at(0);
	assert_int_equal(n, -ENOMEM);
	assert_false(stream_is_open(&c->server));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		test(a_handshake_is_driven_by_reading),
		test(what_is_taken_arrives_whatever_the_socket_takes),
		test(what_was_sealed_before_arrives),
		test(nothing_waits_unseen),
		test(an_end_is_told_and_heard),
		test(an_end_without_the_sockets_is_known_at_once),
		test(a_peer_that_is_gone_is_an_end),
		test(a_peer_without_tls_is_read_as_it_is),
		test(noise_is_an_error_with_a_name),
		test(one_who_asks_and_does_not_read_is_broken_off),
		test(tickets_are_good_wherever_their_keys_are),
		test(what_cannot_be_used_is_blamed),
		test(a_certificate_says_when_it_ends),
		test(the_own_client_trusts_nobody_unknown),
		test(without_memory_there_is_nothing_half_made),
		test(without_memory_a_stream_breaks_off),
#undef test
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
