/*
 * All that can fail (reading, unpacking) comes before the first change. Nearly everything reads the
 * configuration when it needs it; told are only the deadlines and the log, which keep what they have.
 */
#include "worker/reconfigure.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/pack.h"
#include "conf/secret.h"
#include "gateway/admission.h"
#include "gateway/auth.h"
#include "gateway/context.h"
#include "gateway/deadlines.h"
#include "gateway/secure.h"
#include "sys/control.h"
#include "sys/process.h"
#include "sys/sealed.h"
#include "sys/tls_context.h"

enum {
	IDLE_HTTP_MS = 60 * 1000,
	LINGER_MS = 2000, /* for the peer's goodbye */
};

void
reconfigure_lengths(const struct conf *conf, uint32_t *ret_length_ms)
{
	ret_length_ms[DEADLINE_HANDSHAKE] = conf->gateway.handshake_timeout_ms;
	ret_length_ms[DEADLINE_IDLE] = IDLE_HTTP_MS;
	ret_length_ms[DEADLINE_PING] = conf->gateway.ping_interval_ms;
	ret_length_ms[DEADLINE_PONG] = conf->gateway.pong_timeout_ms;
	ret_length_ms[DEADLINE_MESSAGE] = conf->gateway.message_timeout_ms;
	ret_length_ms[DEADLINE_CLOSE] = LINGER_MS;
}

static int
read_conf(int fd, struct conf **ret)
{
	struct buf bytes = { 0 };
	int r = sealed_read(fd, CONF_PACK_MAX, &bytes);

	if (r == 0)
		r = conf_unpack(buf_span(&bytes), ret);
	secret_wipe_buf(&bytes);
	return r;
}

/* Connections whose tokens are gone end here. */
static void
change_auth_take(struct gateway *g, struct auth *auth)
{
	unsigned ended = admission_swap_take(g, auth);

	if (ended > 0)
		log_info("%u connections ended, since the new configuration does not let them in",
		    ended);
	if ((auth_is_enabled(auth) || g->tls != NULL) && process_forbid_core() < 0)
		log_warning("core files cannot be forbidden");
}

static void
put_in_force_take(struct reconfigure *reconfigure, struct gateway *g, struct conf *conf,
    struct auth *auth, struct tls_context *tls)
{
	uint32_t length_ms[DEADLINE_KINDS];

	g->conf = conf;
	tls_context_unref(g->tls);
	g->tls = tls;
	change_auth_take(g, auth);
	conf_free(reconfigure->own);
	reconfigure->own = conf;
	log_set_form(conf->gateway.log_level, conf->gateway.log_format);
	reconfigure_lengths(conf, length_ms);
	deadlines_change(g->deadlines, length_ms);
}

int
reconfigure_take(struct reconfigure *reconfigure, struct gateway *g, int control_fd,
    const struct control_message *message)
{
	struct control_config order;
	struct conf *conf = NULL;
	struct tls_context *tls = NULL;
	struct auth *auth;
	int r;

	if (control_read_config(message, &order) < 0)
		return -EBADMSG;
	r = read_conf(message->fds[0], &conf);
	if (r == 0)
		r = secure_context_new(conf, g->tickets, &tls);
	auth = r == 0 ? auth_new(conf) : NULL;
	if (auth != NULL) {
		put_in_force_take(reconfigure, g, conf, auth, tls);
	} else {
		tls_context_unref(tls);
		conf_free(conf);
		r = r < 0 ? r : -ENOMEM;
	}
	return control_send_taken(control_fd, order.number, r);
}

void
reconfigure_fini(struct reconfigure *reconfigure)
{
	conf_free(reconfigure->own);
	reconfigure->own = NULL;
}
