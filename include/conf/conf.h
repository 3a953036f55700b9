/*
 * Brings the configuration together from all the places it may stand in. Low to high:
 *
 *	built-in defaults, /etc/lurkbot/config.json, $LURKBOT_HOME/config.json
 *	(or the one file of --config instead of these two),
 *	$LURKBOT_HOME/.env, the environment, flags
 *
 * The files and LURKBOT_* belong to all of LurkBot. Only what stands under "gateway", "cron",
 * "hooks" and "skills", and variables that begin with LURKBOT_GATEWAY__, must be known; the rest is
 * not looked at. Every error of every place is found in one go.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"
#include "conf/data.h"
#include "conf/report.h"
#include "conf/settings.h"
#include "conf/write.h"

/* All optional: a zeroed request is what `lurkbot gateway start` without flags asks for. */
struct conf_request {
	const char *home;	  /* NULL: LURKBOT_HOME of the environment, else ~/.lurkbot */
	const char *config_file;  /* --config: read instead of the two default files */
	const char *system_file;  /* NULL: /etc/lurkbot/config.json */
	const char *const *flags; /* "gateway.port=8080"; a boolean's "=true" may be left out */
	size_t flag_count;
	/* A last look at one that is good so far, by who knows more: may add to the report. NULL: none */
	void (*judge)(const struct conf *, struct conf_report *);
	char *const *environ_; /* ends with NULL; NULL: the environment of this process */
};

/*
 * Loads and checks everything. 0: ret is the configuration, to be freed by conf_free. -EINVAL: the
 * report holds every error, and ret is untouched. -ENOMEM: the report may be incomplete. The report
 * is set in every case, and to be freed by conf_report_fini. Opens files, keeps none open.
 */
int conf_load(
    const struct conf_request *, struct conf **ret, struct conf_report *ret_report) must_check;

/* Frees the configuration; takes NULL. */
void conf_free(struct conf *);

/*
 * The absolute path of LurkBot's home, as conf_load would set conf->home, without reading any file;
 * to be freed by mem_free. 0; -ENOENT: neither LURKBOT_HOME nor a home directory of the user is
 * known; -ENOMEM; or what getcwd(3) failed with, negative.
 */
int conf_home(const struct conf_request *, char **ret_home) must_check;

/*
 * Where the value in force came from: "built-in", "/etc/lurkbot/config.json:7",
 * "LURKBOT_GATEWAY__PORT", "--port". Lives as long as the configuration. NULL: it was not loaded, but
 * put together by hand.
 */
const char *conf_source(const struct conf *, const struct setting *);
