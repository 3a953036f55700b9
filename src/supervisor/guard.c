/*
 * Why this file exists: a gateway that is open by mistake looks like one that works.
 */
#include "supervisor/guard.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/settings.h"
#include "sys/process.h"
#include "sys/tls_context.h"

enum { EXPIRY_DAYS = 14, DAY_MS = 24 * 3600 * 1000 };

static bool
has_credentials(const struct conf *conf)
{
	return conf->gateway.auth_tokens.count + conf->file_tokens.count > 0 ||
	       conf->gateway.auth_password.is_set || conf->jwt_secret.n > 0 ||
	       conf->jwt_public_key.n > 0;
}

void
guard_warn(const struct conf *conf)
{
	const struct conf_gateway *c = &conf->gateway;

	if (c->auth_enabled && !has_credentials(conf))
		log_warning("authentication is on, but there is no token: all clients are turned "
			    "away");
	if (!c->auth_enabled && c->allow_unauthenticated)
		log_warning("gateway.allow_unauthenticated: everybody who can reach %s may do "
			    "everything, without a token",
		    c->host);
	if (!c->auth_enabled && has_credentials(conf))
		log_warning("there are tokens, but gateway.auth_enabled is false: nobody is asked "
			    "for one");
	if (!c->auth_enabled && !c->allow_unauthenticated)
		log_warning("authentication is off: every user of this machine may do everything, "
			    "and other machines are turned away");
}

void
guard_warn_of_expiry(const struct conf *conf)
{
	const struct tls_server_options options = {
		.cert = span_make((const char *)conf->tls_cert_pem.bytes, conf->tls_cert_pem.n),
		.key = span_make((const char *)conf->tls_key_pem.bytes, conf->tls_key_pem.n),
	};
	struct tls_context *context;
	struct tls_fault fault;
	int64_t left_ms;

	if (!conf->gateway.tls_enabled || tls_server_new(&options, &context, &fault) < 0)
		return;
	left_ms = (int64_t)tls_expires_ms(context) - (int64_t)clock_real_ms();
	tls_context_unref(context);
	if (left_ms < 0)
		log_warning("the certificate %s has expired: clients will refuse it",
		    conf->gateway.tls_cert);
	else if (left_ms < EXPIRY_DAYS * DAY_MS)
		log_warning("the certificate %s expires in %d days", conf->gateway.tls_cert,
		    (int)(left_ms / DAY_MS));
}

void
guard_tell_fixed(const struct conf *conf)
{
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = &settings[i];
		const char *source = conf_source(conf, s);
		char variable[SETTING_NAME_MAX];

		setting_variable(s, variable);
		if (s->is_secret && source != NULL && strcmp(source, variable) == 0)
			log_warning(
			    "%s comes from the environment (%s): a reload cannot change it, "
			    "a restart can",
			    s->key, variable);
	}
}

void
guard_forbid_core(const struct conf *conf)
{
	int r;

	if (!conf->gateway.auth_enabled && !conf->gateway.tls_enabled)
		return;
	r = process_forbid_core();
	if (r < 0)
		log_warning("core files cannot be forbidden: %s", strerror(-r));
}
