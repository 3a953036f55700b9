/*
 * The hello by tables, then packed into one block.
 *
 *	struct hello | caps[caps_count] | id, version, platform, displayName, epoch, caps: bytes |
 *
 * The params that the parts were read with hold spans into the frame; nothing of the frame is
 * needed any more once the block is packed. What "auth" says is packed apart, since it goes first:
 *
 *	struct hello_credentials | token, password: bytes |
 */
#include "proto/hello.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/params.h"
#include "proto/subscription.h"

enum {
	FRAME_MIN_PROTOCOL,
	FRAME_MAX_PROTOCOL,
	FRAME_CLIENT,
	FRAME_CAPS,
	FRAME_AUTH,
	FRAME_SUBSCRIBE,
	FRAME_RESUME,
	FRAME_COUNT,
};

enum {
	CLIENT_ID,
	CLIENT_VERSION,
	CLIENT_PLATFORM,
	CLIENT_MODE,
	CLIENT_DISPLAY_NAME,
	CLIENT_COUNT,
};

enum { AUTH_TOKEN, AUTH_PASSWORD, AUTH_COUNT };

enum { RESUME_EPOCH, RESUME_SEQ, RESUME_COUNT };

static const char *const modes[] = {
	[HELLO_MODE_APP] = "app",
	[HELLO_MODE_WEB] = "web",
	[HELLO_MODE_CLI] = "cli",
	NULL,
};

static const struct param frame_table[FRAME_COUNT] = {
	[FRAME_MIN_PROTOCOL] = {
		.name = "minProtocol",
		.alias = "min_protocol",
		.kind = PARAM_INTEGER,
		.required = true,
		.max = JSON_INTEGER_MAX,
	},
	[FRAME_MAX_PROTOCOL] = {
		.name = "maxProtocol",
		.alias = "max_protocol",
		.kind = PARAM_INTEGER,
		.required = true,
		.max = JSON_INTEGER_MAX,
	},
	[FRAME_CLIENT] = { .name = "client", .kind = PARAM_OBJECT, .required = true },
	[FRAME_CAPS] = {
		.name = "caps",
		.kind = PARAM_STRINGS,
		.max = HELLO_CAPS_MAX,
		.item_max = HELLO_TEXT_MAX,
	},
	[FRAME_AUTH] = { .name = "auth", .kind = PARAM_OBJECT },
	[FRAME_SUBSCRIBE] = { .name = "subscribe", .kind = PARAM_OBJECT },
	[FRAME_RESUME] = { .name = "resume", .kind = PARAM_OBJECT },
};

static const struct param client_table[CLIENT_COUNT] = {
	[CLIENT_ID] = {
		.name = "id",
		.kind = PARAM_STRING,
		.required = true,
		.min = 1,
		.max = HELLO_TEXT_MAX,
	},
	[CLIENT_VERSION] = {
		.name = "version",
		.kind = PARAM_STRING,
		.required = true,
		.min = 1,
		.max = HELLO_TEXT_MAX,
	},
	[CLIENT_PLATFORM] = {
		.name = "platform",
		.kind = PARAM_STRING,
		.required = true,
		.min = 1,
		.max = HELLO_TEXT_MAX,
	},
	[CLIENT_MODE] = {
		.name = "mode",
		.kind = PARAM_CHOICE,
		.required = true,
		.choices = modes,
	},
	[CLIENT_DISPLAY_NAME] = {
		.name = "displayName",
		.alias = "display_name",
		.kind = PARAM_STRING,
		.min = 1,
		.max = HELLO_TEXT_MAX,
	},
};

static const struct param auth_table[AUTH_COUNT] = {
	[AUTH_TOKEN] = { .name = "token", .kind = PARAM_STRING, .max = HELLO_CREDENTIAL_MAX },
	[AUTH_PASSWORD] = { .name = "password", .kind = PARAM_STRING, .max = HELLO_CREDENTIAL_MAX },
};

static const struct param resume_table[RESUME_COUNT] = {
	[RESUME_EPOCH] = {
		.name = "epoch",
		.kind = PARAM_STRING,
		.required = true,
		.min = 1,
		.max = HELLO_EPOCH_MAX,
	},
	[RESUME_SEQ] = {
		.name = "seq",
		.kind = PARAM_INTEGER,
		.required = true,
		.max = JSON_INTEGER_MAX,
	},
};

/* All that was read; values point into the frame. */
struct parts {
	struct params frame, client, auth, resume;
	struct filter *filter;
	bool has_resume;
	unsigned protocol;
};

/* Said before anything is said about fields: a request that comes first is no bad hello. */
static int
check_type(struct span text, struct envelope_fault *fault)
{
	static const struct json_field field = { "type", NULL };
	struct json_value value;
	struct json_fault why;
	char type[sizeof("hello")];
	size_t len;
	int r;

	r = json_object_scan(text, &field, 1, &value, JSON_KEYS_MAX, &why);
	if (r < 0) {
		envelope_fault_set_json(fault, r, &why, "");
		return -EBADMSG;
	}
	if (value.kind == JSON_STRING &&
	    json_string_decode(value.text, type, sizeof(type), &len) == 0 &&
	    span_is(span_make(type, len), "hello"))
		return 0;
	envelope_fault_set(fault, "hello-expected", "type",
	    "The first frame must be a hello; its type must be \"hello\".");
	return -EBADMSG;
}

/* Reads an object below the frame; nothing is read where it is absent. */
static int
read_part(const struct param_value *object, const char *path, const struct param *table,
    size_t count, struct params *ret, struct envelope_fault *fault)
{
	return object->is_present ? params_read(ret, object->json.text, path, table, count, fault)
				  : 0;
}

static int
read_subscribe(struct parts *parts, struct envelope_fault *fault)
{
	const struct param_value *object = &parts->frame.values[FRAME_SUBSCRIBE];
	struct span text = object->is_present ? object->json.text : span_make(NULL, 0);

	return subscription_parse(text, "subscribe", &parts->filter, fault);
}

/* The highest version that both speak. */
static int
negotiate(struct parts *parts, struct envelope_fault *fault)
{
	int64_t min = parts->frame.values[FRAME_MIN_PROTOCOL].integer;
	int64_t max = parts->frame.values[FRAME_MAX_PROTOCOL].integer;

	if (min > max) {
		envelope_fault_set(fault, "invalid-field", "minProtocol",
		    "minProtocol must not be greater than maxProtocol.");
		return -EBADMSG;
	}
	if (min > HELLO_PROTOCOL_MAX || max < HELLO_PROTOCOL_MIN) {
		envelope_fault_set(fault, "protocol-mismatch", NULL,
		    "No common protocol version; minProtocol to maxProtocol must include one of "
		    "%d to %d.",
		    HELLO_PROTOCOL_MIN, HELLO_PROTOCOL_MAX);
		return -EBADMSG;
	}
	parts->protocol = (unsigned)(max < HELLO_PROTOCOL_MAX ? max : HELLO_PROTOCOL_MAX);
	return 0;
}

static int
read_parts(struct parts *parts, struct span text, struct envelope_fault *fault)
{
	const struct param_value *values = parts->frame.values;
	int r;

	r = params_read(&parts->frame, text, "", frame_table, FRAME_COUNT, fault);
	if (r == 0)
		r = read_part(&values[FRAME_CLIENT], "client", client_table, CLIENT_COUNT,
		    &parts->client, fault);
	if (r == 0)
		r = read_part(
		    &values[FRAME_AUTH], "auth", auth_table, AUTH_COUNT, &parts->auth, fault);
	if (r == 0)
		r = read_part(&values[FRAME_RESUME], "resume", resume_table, RESUME_COUNT,
		    &parts->resume, fault);
	if (r == 0)
		r = read_subscribe(parts, fault);
	if (r == 0)
		r = negotiate(parts, fault);
	parts->has_resume = values[FRAME_RESUME].is_present;
	return r;
}

/* The bytes that all strings have together. */
static size_t
count_bytes(const struct parts *parts)
{
	const struct param_value *caps = &parts->frame.values[FRAME_CAPS];
	size_t n = 0, i;

	for (i = 0; i < CLIENT_COUNT; i++)
		n += i == CLIENT_MODE ? 0 : parts->client.values[i].string.n;
	for (i = 0; i < caps->strings_count; i++)
		n += caps->strings[i].n;
	return n + parts->resume.values[RESUME_EPOCH].string.n;
}

/* Copies text to *at and moves that on. */
static struct span
put(char **at, struct span text)
{
	struct span copy = span_make(*at, text.n);

	if (text.n > 0)
		memcpy(*at, text.p, text.n);
	*at += text.n;
	return copy;
}

/* 0, also where there is nothing to pack, or -ENOMEM. */
static int
pack_credentials(const struct parts *parts, struct hello_credentials **ret)
{
	struct span token = parts->auth.values[AUTH_TOKEN].string;
	struct span password = parts->auth.values[AUTH_PASSWORD].string;
	struct hello_credentials *credentials;
	char *at;

	*ret = NULL;
	if (token.n + password.n == 0)
		return 0;
	credentials = mem_alloc(sizeof(*credentials) + token.n + password.n);
	if (credentials == NULL)
		return -ENOMEM;
	at = (char *)(credentials + 1);
	credentials->token = put(&at, token);
	credentials->password = put(&at, password);
	*ret = credentials;
	return 0;
}

static struct hello *
pack(struct parts *parts)
{
	const struct param_value *frame = parts->frame.values, *client = parts->client.values;
	const struct param_value *caps = &frame[FRAME_CAPS];
	size_t spans = caps->strings_count * sizeof(struct span), i;
	struct hello *hello = mem_alloc(sizeof(*hello) + spans + count_bytes(parts));
	char *at;

	if (hello == NULL)
		return NULL;
	if (pack_credentials(parts, &hello->credentials) < 0) {
		mem_free(hello);
		return NULL;
	}
	at = (char *)hello + sizeof(*hello) + spans;
	hello->min_protocol = frame[FRAME_MIN_PROTOCOL].integer;
	hello->max_protocol = frame[FRAME_MAX_PROTOCOL].integer;
	hello->protocol = parts->protocol;
	hello->client.id = put(&at, client[CLIENT_ID].string);
	hello->client.version = put(&at, client[CLIENT_VERSION].string);
	hello->client.platform = put(&at, client[CLIENT_PLATFORM].string);
	hello->client.display_name = put(&at, client[CLIENT_DISPLAY_NAME].string);
	hello->client.mode = (enum hello_mode)client[CLIENT_MODE].integer;
	hello->has_resume = parts->has_resume;
	hello->resume_epoch = put(&at, parts->resume.values[RESUME_EPOCH].string);
	hello->resume_seq = (uint64_t)parts->resume.values[RESUME_SEQ].integer;
	hello->caps_count = caps->strings_count;
	for (i = 0; i < caps->strings_count; i++)
		hello->caps[i] = put(&at, caps->strings[i]);
	hello->filter = parts->filter;
	parts->filter = NULL;
	return hello;
}

static void
parts_fini(struct parts *parts)
{
	params_fini(&parts->frame);
	params_fini(&parts->client);
	params_fini(&parts->auth);
	params_fini(&parts->resume);
	filter_free(parts->filter);
}

int
hello_parse(struct span text, struct hello **ret, struct envelope_fault *ret_fault)
{
	struct parts parts = { 0 };
	struct hello *hello;
	int r;

	r = check_type(text, ret_fault);
	if (r < 0)
		return r;
	r = read_parts(&parts, text, ret_fault);
	if (r == 0) {
		hello = pack(&parts);
		if (hello != NULL)
			*ret = hello;
		else
			r = -ENOMEM;
	}
	parts_fini(&parts);
	return r;
}

void
hello_free(struct hello *hello)
{
	if (hello == NULL)
		return;
	hello_forget_credentials(hello);
	filter_free(hello->filter);
	mem_free(hello);
}

void
hello_forget_credentials(struct hello *hello)
{
	struct hello_credentials *c = hello->credentials;

	if (c != NULL)
		explicit_bzero(c, sizeof(*c) + c->token.n + c->password.n);
	mem_free(c);
	hello->credentials = NULL;
}

struct filter *
hello_steal_filter(struct hello *hello)
{
	struct filter *filter = hello->filter;

	hello->filter = NULL;
	return filter;
}

const char *
hello_mode_name(enum hello_mode mode)
{
	return modes[mode];
}
