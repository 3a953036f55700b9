/*
 * What is told is the copy of the configuration that this worker works with; after a reload that was
 * answered all workers have the same.
 */
#include "gateway/method_config.h"

#include <errno.h>

#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/reloads.h"
#include "proto/params.h"

enum { GET_PATH, GET_PARAMS };

static const struct param get_table[GET_PARAMS] = {
	[GET_PATH] = { .name = "path", .kind = PARAM_STRING, .min = 1, .max = SETTING_NAME_MAX },
};

static void
answer_part(const struct answer *to, struct span path)
{
	const struct gateway *g = to->connection->gateway;
	struct buf *text = &to->connection->gateway->text;
	bool is_there = true;

	buf_reset(text);
	if (path.n > 0)
		is_there = conf_write_part(g->conf, path, text);
	else
		conf_write_compact(g->conf, text, true);
	if (!is_there)
		answer_fail(to, ERROR_INVALID_REQUEST, "unknown-setting", "params.path",
		    "There is no setting %.*s; lurkbot-config(5) lists those that exist",
		    SPAN_ARGS(path));
	else if (buf_status(text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(text));
}

void
method_config_get(const struct answer *to, const struct envelope *frame)
{
	struct params params;
	struct envelope_fault fault;
	int r = params_read(&params, frame->params.text, "params", get_table, GET_PARAMS, &fault);

	if (r == -EBADMSG) {
		answer_fault(to, &fault);
		return;
	}
	if (r != 0) {
		answer_no_memory(to);
		return;
	}
	answer_part(to, params.values[GET_PATH].string);
	params_fini(&params);
}

void
method_config_reload(const struct answer *to, const struct envelope *frame)
{
	reloads_ask(to->connection->gateway, to, frame->timeout_ms);
}
