/*
 * Loads the configuration: the layers in their order, and what depends on all of them. Nothing ends
 * the loading early but want of memory, so that the report is complete.
 */
#include "conf/conf.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/cross.h"
#include "conf/draft.h"
#include "conf/environment.h"
#include "conf/file.h"
#include "conf/flags.h"
#include "conf/keyring.h"
#include "conf/locate.h"
#include "conf/literal.h"
#include "conf/value.h"

static const char system_file[] = "/etc/lurkbot/config.json";
static const char built_in[] = "built-in";

static char *const *
environment_of(const struct conf_request *r)
{
	return r->environ_ != NULL ? r->environ_ : environ;
}

/* The path of a file in LurkBot's home, to be freed; NULL: no memory. */
static char *
home_file(struct draft *d, const char *name)
{
	struct buf path = { 0 };
	char *file;

	buf_append_cstr(&path, d->conf->home);
	buf_append_cstr(&path, name);
	file = buf_steal(&path, NULL);
	if (file == NULL)
		d->status = -ENOMEM;
	return file;
}

static void
find_home(struct draft *d, const struct conf_request *r)
{
	int status = conf_home(r, &d->conf->home);

	if (status == -ENOMEM)
		d->status = status;
	else if (status < 0)
		conf_report_add(d->report, "LURKBOT_HOME", NULL,
		    "must be set to an absolute path, since the user's home is not known: %s",
		    strerror(-status));
}

/* --- layers ----------------------------------------------------------------------------------- */

static void
apply_defaults(struct draft *d)
{
	draft_begin_layer(d);
	for (size_t i = 0; i < settings_count(); i++)
		literal_apply(d, &settings[i], span_cstr(settings[i].default_text), built_in);
}

static void
apply_chosen_file(struct draft *d, const struct conf_request *r)
{
	char *path = NULL;
	int status = locate_absolute(environment_of(r), span_cstr(r->config_file), &path);

	if (status == 0)
		file_apply(d, path, true);
	else if (status == -ENOMEM)
		d->status = status;
	else
		conf_report_add(
		    d->report, r->config_file, NULL, "cannot be found: %s", strerror(-status));
	mem_free(path);
}

static void
apply_default_files(struct draft *d, const struct conf_request *r)
{
	char *path;

	file_apply(d, r->system_file != NULL ? r->system_file : system_file, false);
	if (d->conf->home == NULL)
		return;
	path = home_file(d, "/config.json");
	if (path != NULL)
		file_apply(d, path, false);
	mem_free(path);
}

static void
apply_env_file(struct draft *d)
{
	char *path;

	if (d->conf->home == NULL)
		return;
	path = home_file(d, "/.env");
	if (path != NULL)
		environment_apply_file(d, path);
	mem_free(path);
}

static void
apply_layers(struct draft *d, const struct conf_request *r)
{
	apply_defaults(d);
	if (r->config_file != NULL)
		apply_chosen_file(d, r);
	else
		apply_default_files(d, r);
	apply_env_file(d);
	environment_apply(d, environment_of(r));
	flags_apply(d, r->flags, r->flag_count);
}

/* Makes the path absolute; an empty one stays so. */
static void
resolve_file(struct draft *d, const struct conf_request *r, const char *key, char **member)
{
	char *path = NULL;
	int status;

	if (d->conf->home == NULL || *member == NULL || **member == '\0')
		return;
	status = locate_absolute(environment_of(r), span_cstr(*member), &path);
	if (status == -ENOMEM)
		d->status = status;
	else if (status < 0)
		conf_report_add(
		    d->report, key, NULL, "must begin with /, since the user's home is not known");
	if (path == NULL)
		return;
	mem_free(*member);
	*member = path;
}

/* Puts the default in place of an empty log_file. */
static void
default_log_file(struct draft *d)
{
	char **member = &d->conf->gateway.log_file, *path;

	if (d->conf->home == NULL || *member == NULL || **member != '\0')
		return;
	path = home_file(d, "/logs/gateway.log");
	if (path == NULL)
		return;
	mem_free(*member);
	*member = path;
}

static void
resolve_files(struct draft *d, const struct conf_request *r)
{
	struct conf_gateway *conf = &d->conf->gateway;

	default_log_file(d);
	resolve_file(d, r, "gateway.log_file", &conf->log_file);
	resolve_file(d, r, "gateway.auth_tokens_file", &conf->auth_tokens_file);
	resolve_file(d, r, "gateway.auth_jwt_secret_file", &conf->auth_jwt_secret_file);
	resolve_file(d, r, "gateway.auth_jwt_public_key_file", &conf->auth_jwt_public_key_file);
	resolve_file(d, r, "gateway.tls_cert", &conf->tls_cert);
	resolve_file(d, r, "gateway.tls_key", &conf->tls_key);
}

static int
load(struct draft *d, const struct conf_request *r)
{
	find_home(d, r);
	apply_layers(d, r);
	if (d->status < 0)
		return d->status;
	cross_check(d);
	resolve_files(d, r);
	if (d->status == 0)
		keyring_load(d);
	if (d->status == 0 && d->report->count == 0 && r->judge != NULL)
		r->judge(d->conf, d->report);
	if (d->status < 0)
		return d->status;
	if (buf_status(&d->report->text) < 0)
		return -ENOMEM;
	return d->report->count > 0 ? -EINVAL : 0;
}

int
conf_load(const struct conf_request *r, struct conf **ret, struct conf_report *ret_report)
{
	struct draft d;
	int status;

	*ret_report = (struct conf_report){ 0 };
	status = draft_init(&d, ret_report);
	if (status == 0)
		status = load(&d, r);
	if (status == 0)
		*ret = draft_steal(&d);
	draft_fini(&d);
	return status;
}

void
conf_free(struct conf *conf)
{
	draft_free_conf(conf);
}

int
conf_home(const struct conf_request *r, char **ret_home)
{
	return locate_home(environment_of(r), r->home, ret_home);
}

const char *
conf_source(const struct conf *conf, const struct setting *s)
{
	return conf->sources != NULL ? conf->sources[settings_index(s)] : NULL;
}
