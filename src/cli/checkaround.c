/*
 * Where systemd starts the gateway its log is the journal's; else it is a file.
 */
#include "cli/checkaround.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/checkup.h"
#include "cli/endpoint.h"
#include "cli/findings.h"
#include "cli/logfile.h"
#include "cli/output.h"
#include "conf/data.h"
#include "sys/paths.h"
#include "sys/tls_context.h"

enum {
	CONNECT_MS = 3000,
	ADDRESS_MAX = 512,
	DAY_S = 24 * 3600,
	EXPIRY_DAYS = 14,
	LINES = 1000,
	MIB = 1024 * 1024,
	LOG_MIB = 256,
	FREE_MIB = 64,
	OTHER_FDS = 64, /* of a worker, beside its connections */
	FEW_FDS = 256,
};

#define JOURNAL "journalctl --user -u " UNIT_NAME

/* --- port ------------------------------------------------------------------------------------- */

static int
try_connect(const char *address)
{
	struct buf fault = { 0 };
	struct endpoint endpoint;
	int fd, r = endpoint_from_url(&endpoint, span_cstr(address), &fault);

	if (r == 0)
		r = endpoint_connect(&endpoint, clock_mono_ms() + CONNECT_MS, &fd);
	if (r == 0)
		close(fd);
	endpoint_fini(&endpoint);
	buf_fini(&fault);
	return r;
}

/* Where it would listen; "" when that is not known before it does. */
static void
wanted_address(const struct conf *conf, char ret[ADDRESS_MAX])
{
	const char *host = conf != NULL ? conf->gateway.host : "";
	bool is_ipv6 = strchr(host, ':') != NULL;

	ret[0] = '\0';
	if (conf != NULL && conf->gateway.port != 0)
		snprintf(ret, ADDRESS_MAX, "ws://%s%s%s:%u", is_ipv6 ? "[" : "", host,
		    is_ipv6 ? "]" : "", conf->gateway.port);
}

/* Nothing of ours runs. */
static void
check_free_port(const struct checkup *c, struct findings *f)
{
	char address[ADDRESS_MAX];

	wanted_address(c->conf, address);
	if (address[0] == '\0')
		findings_add(f, FINDING_OK, "port", NULL, "none is fixed to look at");
	else if (try_connect(address) == 0)
		findings_add(f, FINDING_ERROR, "port",
		    "see whose it is: ss -ltnp; or take another: lurkbot daemon install --port N",
		    "another program listens at %s", address);
	else
		findings_add(f, FINDING_WARNING, "port", "lurkbot daemon start",
		    "nobody listens at %s, since the gateway does not run", address);
}

void
checkaround_port(const struct checkup *c, struct findings *f)
{
	char address[ADDRESS_MAX] = "";
	int r;

	if (c->pid == 0) {
		check_free_port(c, f);
		return;
	}
	checkup_address(c, address, sizeof(address));
	r = address[0] != '\0' ? try_connect(address) : -ENOENT;
	if (r == 0)
		findings_add(f, FINDING_OK, "port", NULL, "%s takes connections", address);
	else
		findings_add(f, FINDING_ERROR, "port", "lurkbot daemon restart",
		    "it runs, but cannot be reached at %s: %s",
		    address[0] != '\0' ? address : "any address", strerror(-r));
}

/* --- log -------------------------------------------------------------------------------------- */

static char *
log_path(const struct checkup *c)
{
	if (c->conf != NULL)
		return mem_strndup(span_cstr(c->conf->gateway.log_file));
	return paths_join(c->service.home, "logs/gateway.log");
}

static void
check_size(const char *path, struct findings *f)
{
	struct statvfs fs;
	struct stat st;

	if (stat(path, &st) != 0) {
		findings_add(f, errno == ENOENT ? FINDING_OK : FINDING_ERROR, "log size",
		    errno == ENOENT ? NULL : "see to it that it can be read", "%s: %s", path,
		    strerror(errno));
		return;
	}
	if (statvfs(path, &fs) == 0 && fs.f_bavail * fs.f_frsize < (uint64_t)FREE_MIB * MIB)
		findings_add(f, FINDING_ERROR, "log size", "make room",
		    "%s: its disk has less than %d MiB left", path, FREE_MIB);
	else if (st.st_size > (off_t)LOG_MIB * MIB)
		findings_add(f, FINDING_WARNING, "log size", "rotate it: lurkbot-gateway(8), LOGS",
		    "%s has %" PRId64 " MiB", path, (int64_t)(st.st_size / MIB));
	else
		findings_add(f, FINDING_OK, "log size", NULL, "%s has %" PRId64 " KiB", path,
		    (int64_t)(st.st_size / 1024));
}

void
checkaround_log_size(const struct checkup *c, struct findings *f)
{
	char *path;

	if (c->service.has_manager) {
		findings_add(f, FINDING_OK, "log size", NULL, "the journal keeps it: " JOURNAL);
		return;
	}
	path = log_path(c);
	if (path == NULL)
		findings_add(f, FINDING_ERROR, "log size", NULL, "out of memory");
	else
		check_size(path, f);
	mem_free(path);
}

/* Whether the line, of either form, is an error that is not older than since. */
static bool
is_recent_error(struct span line, const char *since)
{
	static const struct span begin = SPAN_INIT("{\"time\":\"");
	size_t n = strlen(since);
	bool is_json = span_has_prefix(line, begin);

	if (is_json)
		line = span_skip(line, begin.n);
	if (line.n < n || memcmp(line.p, since, n) < 0)
		return false;
	line = span_skip(line, n);
	return span_has_prefix(line, is_json ? SPAN("\",\"level\":\"error\"") : SPAN(" error "));
}

/* The last such line of the text, and how many there are. */
static size_t
find_errors(struct span text, const char *since, struct span *ret_last)
{
	size_t count = 0;

	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		struct span line = span_make(text.p, end != NULL ? (size_t)(end - text.p) : text.n);

		text = span_skip(text, min_size(line.n + 1, text.n));
		if (is_recent_error(line, since)) {
			*ret_last = line;
			count++;
		}
	}
	return count;
}

static void
check_errors(const char *path, struct findings *f)
{
	struct buf text = { 0 };
	struct span last = { 0 };
	char since[OUTPUT_TIME_MAX];
	struct logfile log;
	size_t count;
	int r = logfile_open(&log, path, LINES);

	output_time(clock_real_ms() - (uint64_t)DAY_S * 1000, since);
	while (r == 0 && (r = logfile_read(&log, &text)) == 1)
		r = 0;
	count = find_errors(buf_span(&text), since, &last);
	if (r < 0 && r != -ENOENT)
		findings_add(f, FINDING_ERROR, "error log", "see to it that it can be read",
		    "%s: %s", path, strerror(-r));
	else if (count > 0)
		findings_add(f, FINDING_WARNING, "error log", "lurkbot gateway logs -n 1000",
		    "%zu error%s within a day, the last: %.*s", count, count == 1 ? "" : "s",
		    SPAN_ARGS(last));
	else
		findings_add(f, FINDING_OK, "error log", NULL, "no error within a day");
	logfile_close(&log);
	buf_fini(&text);
}

static void
check_journal(struct findings *f)
{
	struct buf last = { 0 };
	int r = manager_last_error(&last);

	if (r != 0)
		findings_add(f, FINDING_WARNING, "error log", JOURNAL,
		    "the journal could not be read: %s", strerror(-r));
	else if (last.len > 0)
		findings_add(f, FINDING_WARNING, "error log", JOURNAL,
		    "an error within a day, the last: %.*s", SPAN_ARGS(buf_span(&last)));
	else
		findings_add(f, FINDING_OK, "error log", NULL, "no error within a day");
	buf_fini(&last);
}

void
checkaround_error_log(const struct checkup *c, struct findings *f)
{
	char *path;

	if (c->service.has_manager) {
		check_journal(f);
		return;
	}
	path = log_path(c);
	if (path == NULL)
		findings_add(f, FINDING_ERROR, "error log", NULL, "out of memory");
	else
		check_errors(path, f);
	mem_free(path);
}

/* --- certificate ------------------------------------------------------------------------------ */

/* 0 with the days that are left, negative when it has expired; or -errno. */
static int
days_left(const struct conf *conf, int64_t *ret)
{
	const struct tls_server_options options = {
		.cert = span_make((const char *)conf->tls_cert_pem.bytes, conf->tls_cert_pem.n),
		.key = span_make((const char *)conf->tls_key_pem.bytes, conf->tls_key_pem.n),
	};
	struct tls_context *context;
	struct tls_fault fault;
	int64_t left_s;
	int r = tls_server_new(&options, &context, &fault);

	if (r < 0)
		return r;
	left_s = ((int64_t)tls_expires_ms(context) - (int64_t)clock_real_ms()) / 1000;
	tls_context_unref(context);
	*ret = left_s < 0 ? -1 : left_s / DAY_S;
	return 0;
}

void
checkaround_certificate(const struct checkup *c, struct findings *f)
{
	static const char advice[] = "renew it; lurkbot gateway reload";
	const char *path = c->conf != NULL ? c->conf->gateway.tls_cert : "";
	int64_t days = 0;

	if (c->conf == NULL)
		findings_add(f, FINDING_WARNING, "certificate", "mend the configuration first",
		    "not looked at, since the configuration is not valid");
	else if (!c->conf->gateway.tls_enabled)
		findings_add(f, FINDING_OK, "certificate", NULL, "TLS is off: none is needed");
	else if (days_left(c->conf, &days) != 0)
		findings_add(f, FINDING_ERROR, "certificate", advice, "%s cannot be used", path);
	else if (days < 0)
		findings_add(f, FINDING_ERROR, "certificate", advice,
		    "%s has expired: clients refuse it", path);
	else if (days < EXPIRY_DAYS)
		findings_add(f, FINDING_WARNING, "certificate", advice,
		    "%s expires in %" PRId64 " days", path, days);
	else
		findings_add(f, FINDING_OK, "certificate", NULL, "%s is good for %" PRId64 " days",
		    path, days);
}

/* --- descriptors ------------------------------------------------------------------------------ */

/* The limit of the gateway that runs, or of one that would be started from here. */
static int
find_limit(const struct checkup *c, uint64_t *ret)
{
	struct rlimit limit;

	if (c->pid != 0 && prlimit(c->pid, RLIMIT_NOFILE, NULL, &limit) == 0) {
		*ret = limit.rlim_cur;
		return 0;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -errno;
	*ret = limit.rlim_max;
	return 0;
}

void
checkaround_descriptors(const struct checkup *c, struct findings *f)
{
	static const char advice[] =
	    "raise it: LimitNOFILE= in the unit, or ulimit -Hn; or lower gateway.max_connections";
	const struct conf_gateway *g = c->conf != NULL ? &c->conf->gateway : NULL;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t workers = g != NULL && g->workers != 0 ? g->workers
			   : cpus > 0			? (uint64_t)cpus
							: 1;
	uint64_t limit = 0;
	uint64_t room;

	if (find_limit(c, &limit) != 0 || limit < FEW_FDS) {
		findings_add(f, FINDING_ERROR, "descriptors", advice,
		    "a process may have %" PRIu64 " open: a gateway needs %d", limit, FEW_FDS);
		return;
	}
	room = limit / 2 > UINT32_MAX ? UINT32_MAX : (limit - OTHER_FDS) * workers;
	if (g != NULL && room < g->max_connections)
		findings_add(f, FINDING_WARNING, "descriptors", advice,
		    "a process may have %" PRIu64 " open, so %" PRIu64 " workers hold %" PRIu64
		    " connections, not the %u allowed",
		    limit, workers, room, (unsigned)g->max_connections);
	else
		findings_add(f, FINDING_OK, "descriptors", NULL,
		    "a process may have %" PRIu64 " open", limit);
}
