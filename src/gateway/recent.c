/*
 * A bounded set of sessions in order of their last message.  It is fed by the ring alone, so all workers
 * come to the same set in the same order, whoever published.
 */
#include "gateway/recent.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "proto/frame.h"
#include "proto/json.h"

struct recent {
	struct map *by_key;
	struct list sessions;
	size_t count;
};

struct recent *
recent_new(void)
{
	struct recent *recent = mem_zalloc(sizeof(*recent));

	if (recent == NULL)
		return NULL;
	list_init(&recent->sessions);
	recent->by_key = map_new();
	if (recent->by_key == NULL) {
		mem_free(recent);
		return NULL;
	}
	return recent;
}

static void
forget(struct recent *recent, struct recent_session *session)
{
	map_remove(recent->by_key, session->key);
	list_remove(&session->link);
	recent->count--;
	mem_free(session);
}

void
recent_free(struct recent *recent)
{
	struct list *first;

	if (recent == NULL)
		return;
	while ((first = list_first(&recent->sessions)) != NULL)
		forget(recent, container_of(first, struct recent_session, link));
	map_free(recent->by_key);
	mem_free(recent);
}

static struct recent_session *
find_or_create(struct recent *recent, struct span key, uint64_t at_ms)
{
	struct recent_session *session = map_get(recent->by_key, key);

	if (session != NULL)
		return session;
	session = mem_zalloc(sizeof(*session) + key.n);
	if (session == NULL)
		return NULL;
	memcpy(session + 1, key.p, key.n);
	session->key = span_make((const char *)(session + 1), key.n);
	session->created_at_ms = at_ms;
	list_init(&session->link);
	if (map_put(recent->by_key, session->key, session) != 0) {
		mem_free(session);
		return NULL;
	}
	recent->count++;
	if (recent->count > RECENT_SESSIONS_MAX)
		forget(recent,
		    container_of(list_last(&recent->sessions), struct recent_session, link));
	return session;
}

/* Cuts decoded UTF-8 to a number of characters; returns the length in bytes. */
static size_t
cut_characters(const char *text, size_t len, size_t characters)
{
	size_t at = 0;

	while (at < len) {
		if (((unsigned char)text[at] & 0xc0) != 0x80 && characters-- == 0)
			break;
		at++;
	}
	return at;
}

/*
 * Gives how many bytes it wrote before the NUL; what cannot be decoded is left empty. Returns 0, or
 * -ENOMEM.
 */
static int
note_text(const struct json_value *value, char *out, size_t characters, size_t *ret_len)
{
	struct buf text = { 0 };
	size_t len = 0;
	int r = 0;

	if (value->kind == JSON_STRING)
		r = json_string_append(&text, value->text);
	if (r == 0 && text.len > 0) {
		len = cut_characters(text.data, text.len, characters);
		memcpy(out, text.data, len);
	}
	buf_fini(&text);
	out[len] = '\0';
	*ret_len = len;
	return r == -ENOMEM ? r : 0;
}

/*
 * A key that comes twice, and any number of keys, are legal in a payload (PROTOCOL section 2): then the scan
 * still tells what it found.
 */
static bool
is_readable(int r)
{
	return r == 0 || r == -EEXIST || r == -E2BIG;
}

/* The payload's role and content, where it has them as strings. Returns 0, or -ENOMEM. */
static int
note_message(struct recent_message *message, struct span frame)
{
	static const struct json_field in_event[] = { { "payload", NULL } };
	static const struct json_field in_payload[] = { { "role", NULL }, { "content", NULL } };
	struct json_value payload, values[2];
	struct json_fault fault;
	size_t header = frame_payload_offset(frame);
	int r;

	if (header == 0 ||
	    json_object_scan(span_make(frame.p + header, frame.n - header), in_event, 1, &payload,
		JSON_KEYS_MAX, &fault) != 0 ||
	    payload.kind != JSON_OBJECT ||
	    !is_readable(
		json_object_scan(payload.text, in_payload, 2, values, JSON_KEYS_MAX, &fault)))
		return 0;
	message->is_there = values[0].kind == JSON_STRING || values[1].kind == JSON_STRING;
	r = note_text(&values[0], message->role, RECENT_ROLE_MAX, &message->role_len);
	return r != 0 ? r
		      : note_text(&values[1], message->preview, RECENT_PREVIEW_CHARACTERS,
			    &message->preview_len);
}

int
recent_note(struct recent *recent, const struct ring_record *record, struct span name,
    struct span key, struct span frame)
{
	struct recent_session *session;
	/* All of it is new: what stood there must not be told under the new one's time. */
	struct recent_message message = { 0 };
	int r;

	if (key.n == 0 || !span_is(name, "session.message"))
		return 0;
	r = note_message(&message, frame);
	if (r != 0)
		return r;
	session = find_or_create(recent, key, record->at_ms);
	if (session == NULL)
		return -ENOMEM;
	list_remove(&session->link);
	list_prepend(&recent->sessions, &session->link);
	session->updated_at_ms = record->at_ms;
	session->last_seq = record->seq;
	session->message_count++;
	session->message = message;
	return 0;
}

const struct list *
recent_list(const struct recent *recent)
{
	return &recent->sessions;
}

struct span
recent_channel(const struct recent_session *session)
{
	const char *colon = memchr(session->key.p, ':', session->key.n);

	return span_make(
	    session->key.p, colon == NULL ? session->key.n : (size_t)(colon - session->key.p));
}

static void
write_last_message(const struct recent_session *session, struct jsonw *w)
{
	jsonw_key(w, "lastMessage");
	jsonw_object(w);
	jsonw_key(w, "role");
	jsonw_str(w, span_make(session->message.role, session->message.role_len));
	jsonw_key(w, "preview");
	jsonw_str(w, span_make(session->message.preview, session->message.preview_len));
	jsonw_key(w, "at");
	jsonw_uint(w, session->updated_at_ms);
	jsonw_object_end(w);
}

void
recent_write(const struct recent_session *session, struct jsonw *w)
{
	jsonw_object(w);
	jsonw_key(w, "sessionKey");
	jsonw_str(w, session->key);
	jsonw_key(w, "channel");
	jsonw_str(w, recent_channel(session));
	jsonw_key(w, "createdAt");
	jsonw_uint(w, session->created_at_ms);
	jsonw_key(w, "updatedAt");
	jsonw_uint(w, session->updated_at_ms);
	jsonw_key(w, "messageCount");
	jsonw_uint(w, session->message_count);
	if (session->message.is_there)
		write_last_message(session, w);
	jsonw_object_end(w);
}
