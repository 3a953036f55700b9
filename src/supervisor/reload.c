/*
 * Why this file exists: the order of a reload. All that can fail comes first (reading, judging, memory,
 * room in the segment), and leaves everything as it was; what follows cannot fail but by the death of a
 * child, whose successor is forked with what is in force then.
 */
#include "supervisor/reload.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/segment.h"
#include "conf/conf.h"
#include "conf/pack.h"
#include "conf/secret.h"
#include "supervisor/announce.h"
#include "supervisor/crew.h"
#include "supervisor/guard.h"
#include "supervisor/resources.h"
#include "supervisor/service.h"
#include "sys/sealed.h"

enum {
	AGAIN_MS = 50, /* when the bus is held */
	MESSAGE_MAX =
	    400, /* bytes: with all that stands around it an event of the least max_payload */
};

static void
set_timer(struct reload *reload, uint64_t wait_ms)
{
	const struct timeval wait = { (time_t)(wait_ms / 1000),
		(suseconds_t)(wait_ms % 1000) * 1000 };

	if (event_add(&reload->timer, &wait) < 0)
		log_error("a reload has no timer: out of memory");
}

/*
 * --- a bad one --------------------------------------------------------------------------------
 */

static void
refuse(struct reload *reload, const char *what, int error)
{
	buf_printf(&reload->message, "%s: %s", what, strerror(-error));
	log_error(
	    "the configuration was not reloaded: %.*s", SPAN_ARGS(buf_span(&reload->message)));
}

/* All errors go to the log, the first to those who are told. */
static void
refuse_report(struct reload *reload, const struct conf_report *report)
{
	struct span line;
	size_t cursor = 0;

	log_error("the configuration was not reloaded: %zu error%s", report->count,
	    report->count == 1 ? "" : "s");
	while (conf_report_next(report, &cursor, &line)) {
		if (reload->message.len == 0)
			buf_append_span(&reload->message, text_cut(line, MESSAGE_MAX));
		log_error("%.*s", SPAN_ARGS(line));
	}
	if (report->count > 1)
		buf_printf(&reload->message, " (and %zu more)", report->count - 1);
}

/*
 * --- a good one -------------------------------------------------------------------------------
 */

static void
put_in_force(struct reload *reload, struct conf *conf)
{
	struct conf *before = reload->own;

	resources_set_conf(reload->resources, conf);
	crew_set_conf(reload->crew, conf);
	log_set_form(conf->gateway.log_level, conf->gateway.log_format);
	guard_forbid_core(conf);
	reload->own = conf;
	conf_free(before);
}

static void
log_changes(const struct conf_changes *changes)
{
	log_info("configuration reloaded: %.*s",
	    SPAN_ARGS(
		changes->changed.len > 0 ? buf_span(&changes->changed) : SPAN("nothing changed")));
	if (changes->waiting.len > 0)
		log_warning("a restart is needed for changes of: %.*s",
		    SPAN_ARGS(buf_span(&changes->waiting)));
}

/* Who is let in may be others now: all of these settings have this in their names. */
static void
warn_of_authentication(const struct conf_changes *changes, const struct conf *conf)
{
	if (changes->changed.len > 0 &&
	    memmem(changes->changed.data, changes->changed.len, "auth", 4) != NULL)
		guard_warn(conf);
}

/* Each child has it before the surplus ones are told to go. */
static void
hand_out(struct reload *reload, int fd)
{
	struct transaction *t = &reload->transaction;
	struct crew *crew = reload->crew;

	for (unsigned i = 0; i < crew->count; i++) {
		struct child *child = &crew->children[i];

		transaction_meet(t, i, child->starts);
		if (child->pid == 0)
			continue;
		transaction_owe(t, i);
		child_configure(child, t->number, fd);
	}
	crew_resize(crew, reload->resources->workers, reload->own->gateway.drain_timeout_ms);
	set_timer(reload, crew->worker.stands_still_ms);
}

/* Room for more workers, and the descriptor by which it is handed out. */
static int
prepare(struct reload *reload, const struct conf *conf, int *ret_fd)
{
	struct buf bytes = { 0 };
	int r = resources_reserve(reload->resources, conf);

	if (r == 0) {
		conf_pack(conf, &bytes);
		r = buf_status(&bytes);
	}
	if (r == 0)
		r = sealed_new("lurkbot configuration", buf_span(&bytes), ret_fd);
	secret_wipe_buf(&bytes);
	return r;
}

static bool
has_room(const struct conf *next, const struct setting *s, void *arg)
{
	return resources_have_room(arg, next, s);
}

/* Takes the configuration, also when it fails. */
static int
commit(struct reload *reload, struct conf *conf)
{
	int fd = -1, r;

	r = conf_settle(
	    conf, reload->resources->conf, has_room, reload->resources, &reload->changes);
	if (r == 0)
		r = prepare(reload, conf, &fd);
	if (r < 0) {
		refuse(reload, "It cannot be put in force", r);
		conf_free(conf);
		return r;
	}
	put_in_force(reload, conf);
	log_changes(&reload->changes);
	warn_of_authentication(&reload->changes, conf);
	guard_tell_fixed(conf);
	guard_warn_of_expiry(conf);
	hand_out(reload, fd);
	(void)close(fd);
	return 0;
}

static int
load(struct reload *reload)
{
	struct conf_report report;
	struct conf *conf = NULL;
	int r = conf_load(reload->request, &conf, &report);

	if (r == -EINVAL)
		refuse_report(reload, &report);
	else if (r < 0)
		refuse(reload, "It cannot be read", r);
	conf_report_fini(&report);
	return r == 0 ? commit(reload, conf) : r;
}

/*
 * --- the outcome ------------------------------------------------------------------------------
 */

static void
write_changed(struct jsonw *w, struct span keys)
{
	jsonw_key(w, "changed");
	jsonw_array(w);
	while (keys.n > 0) {
		const char *space = memchr(keys.p, ' ', keys.n);
		size_t n = space != NULL ? (size_t)(space - keys.p) : keys.n;

		jsonw_str(w, span_make(keys.p, n));
		keys = span_skip(keys, n + (space != NULL));
	}
	jsonw_array_end(w);
}

/* Publishes what became of it. False: the bus is held, it has to be tried again. */
static bool
publish(const struct reload *reload)
{
	struct buf payload = { 0 };
	struct jsonw w;
	int r;

	jsonw_init(&w, &payload);
	jsonw_object(&w);
	if (reload->is_good) {
		write_changed(&w, buf_span(&reload->changes.changed));
	} else {
		jsonw_key(&w, "message");
		jsonw_str(&w, buf_span(&reload->message));
	}
	jsonw_object_end(&w);
	r = buf_status(&payload);
	if (r == 0)
		r = announce_event(reload->resources->segment,
		    reload->is_good ? SPAN("config.reloaded") : SPAN("config.failed"),
		    buf_span(&payload));
	buf_fini(&payload);
	if (r < 0 && r != -EAGAIN)
		log_error("the outcome of a reload could not be published: %s", strerror(-r));
	return r != -EAGAIN;
}

/* What the answer says: see sys/control.h. */
static void
write_answer(const struct reload *reload, struct buf *out)
{
	if (!reload->is_good) {
		buf_append_span(out, buf_span(&reload->message));
		return;
	}
	buf_append_span(out, buf_span(&reload->changes.changed));
	buf_append_byte(out, '\n');
	buf_append_span(out, buf_span(&reload->changes.waiting));
}

static void
answer_askers(struct reload *reload, enum control_verdict verdict, struct span text)
{
	unsigned member;
	uint64_t ticket;

	while (transaction_next_asker(&reload->transaction, &member, &ticket))
		child_answer(&reload->crew->children[member], ticket, verdict, text);
}

static void
forget_outcome(struct reload *reload)
{
	conf_changes_fini(&reload->changes);
	buf_fini(&reload->message);
	reload->changes = (struct conf_changes){ 0 };
}

static void
tell_service(struct reload *reload)
{
	const char *trouble = NULL;

	if (!reload->is_good) {
		buf_append_byte(&reload->message, '\0');
		trouble =
		    buf_status(&reload->message) == 0 ? reload->message.data : "out of memory";
	}
	service_reloaded(reload->service, reload->crew, trouble);
}

static void
finish(struct reload *reload)
{
	struct buf text = { 0 };

	write_answer(reload, &text);
	answer_askers(reload, reload->is_good ? CONTROL_VERDICT_GOOD : CONTROL_VERDICT_BAD,
	    text_cut(buf_span(&text), CONTROL_TEXT_MAX));
	buf_fini(&text);
	tell_service(reload);
	forget_outcome(reload);
	(void)event_del(&reload->timer);
	transaction_end(&reload->transaction);
}

/*
 * --- going on ---------------------------------------------------------------------------------
 */

static void
begin(struct reload *reload)
{
	service_reloading(reload->service);
	(void)transaction_begin(&reload->transaction);
	reload->is_good = load(reload) == 0;
	if (!reload->is_good)
		transaction_skip(&reload->transaction);
}

static void
go_on(struct reload *reload)
{
	struct transaction *t = &reload->transaction;

	while (reload->is_open) {
		if (transaction_is_due(t))
			begin(reload);
		if (!transaction_settle(t))
			return;
		if (!publish(reload)) {
			set_timer(reload, AGAIN_MS);
			return;
		}
		finish(reload);
	}
}

/* Who has not acknowledged by now stands still. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reload *reload = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < reload->crew->count; i++)
		if (transaction_owes(&reload->transaction, i))
			child_kill(&reload->crew->children[i], "did not take the configuration");
	go_on(reload);
}

static void
on_taken(struct reload *reload, const struct child *child, const struct control_taken *taken)
{
	if (!transaction_take(&reload->transaction, child->slot, taken->number))
		log_warning("%s acknowledged a configuration that it was not given", child->name);
	else if (taken->status < 0)
		child_kill(child, "could not take the configuration");
	go_on(reload);
}

static void
on_asked(struct reload *reload, const struct child *child, uint64_t ticket)
{
	if (!reload->is_open)
		child_answer(child, ticket, CONTROL_VERDICT_STOPPING, SPAN(""));
	else if (!transaction_ask(&reload->transaction, child->slot, ticket))
		log_warning("%s asks for a reload while it waits for one", child->name);
	else
		go_on(reload);
}

bool
reload_on_message(
    struct reload *reload, const struct child *child, const struct control_message *message)
{
	struct control_taken taken;
	struct control_reload asked;

	transaction_meet(&reload->transaction, child->slot, child->starts);
	if (control_read_taken(message, &taken) == 0)
		on_taken(reload, child, &taken);
	else if (control_read_reload(message, &asked) == 0)
		on_asked(reload, child, asked.ticket);
	else
		return false;
	return true;
}

void
reload_on_change(struct reload *reload)
{
	for (unsigned i = 0; i < reload->crew->count; i++) {
		const struct child *child = &reload->crew->children[i];

		/* No life has the number 0 while it lives. */
		transaction_meet(&reload->transaction, i, child->pid != 0 ? child->starts : 0);
	}
	go_on(reload);
}

void
reload_want(struct reload *reload)
{
	transaction_want(&reload->transaction);
	go_on(reload);
}

int
reload_init(struct reload *reload, struct event_base *base, const struct conf_request *request,
    struct resources *resources, struct crew *crew, struct service *service)
{
	memset(reload, 0, sizeof(*reload));
	if (evtimer_assign(&reload->timer, base, on_timer, reload) < 0)
		return -ENOMEM;
	reload->request = request;
	reload->resources = resources;
	reload->crew = crew;
	reload->service = service;
	return 0;
}

void
reload_fini(struct reload *reload)
{
	forget_outcome(reload);
	conf_free(reload->own);
	reload->own = NULL;
}

void
reload_open(struct reload *reload)
{
	reload->is_open = reload->request != NULL;
	go_on(reload);
}

void
reload_close(struct reload *reload)
{
	struct transaction *t = &reload->transaction;

	if (reload->crew == NULL)
		return;
	reload->is_open = false;
	(void)event_del(&reload->timer);
	/* Those who are owed the next one are told now, too. */
	t->number++;
	answer_askers(reload, CONTROL_VERDICT_STOPPING, SPAN(""));
}
