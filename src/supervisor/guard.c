/*
 * Why this file exists: a gateway that is open by mistake looks like one that works.
 */
#include "supervisor/guard.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/settings.h"
#include "sys/process.h"

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

	if (!conf->gateway.auth_enabled)
		return;
	r = process_forbid_core();
	if (r < 0)
		log_warning("core files cannot be forbidden: %s", strerror(-r));
}
