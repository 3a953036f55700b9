/*
 * The verbs themselves, in the order in which help lists them.
 */
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "cli/ask.h"
#include "cli/completion.h"
#include "cli/diagnose.h"
#include "cli/connections.h"
#include "cli/dial.h"
#include "cli/drive.h"
#include "cli/inspect.h"
#include "cli/install.h"
#include "cli/logs.h"
#include "cli/providers.h"
#include "cli/showconf.h"
#include "cli/start.h"
#include "cli/stop.h"
#include "cli/tail.h"
#include "cli/token.h"
#include "cli/why.h"
#include "conf/suggest.h"

enum { PATH_MAX_BYTES = 64, PATH_WORDS_MAX = 3 };

static const char address_help[] =
    "Without --url, --host or --port it talks to this user's gateway by its local socket.\n"
    "LURKBOT_GATEWAY_TOKEN is used for TCP addresses when no token is given.\n";

static const char no_manager_help[] =
    "Where no systemd of this user can be reached it does what gateway start --daemon, stop and\n"
    "restart do, with the options of the installed unit.\n";

const struct verb verbs[] = {
	{
	    .path = "gateway start",
	    .help = "Start the gateway, in the foreground or as a daemon",
	    .about = "Returns when the gateway has ended; with --daemon once the workers serve.\n"
		     "SIGTERM and SIGINT stop it in good order, a second one at once.\n",
	    .syntax = START_SYNTAX,
	    .run = start_run,
	},
	{
	    .path = "gateway stop",
	    .help = "Stop the running gateway and wait for its end",
	    .syntax = { .options = OPTION_BIT(OPTION_STOP_TIMEOUT) | OPTION_BIT(OPTION_CONFIG) |
				   OPTION_BIT(OPTION_JSON) },
	    .run = stop_run,
	},
	{
	    .path = "gateway restart",
	    .help = "Stop the running gateway, if any, and start it as a daemon",
	    .about =
		"The options are those of the new gateway; a configuration with errors leaves\n"
		"the running one alone.\n",
	    .syntax = { .options = OPTION_BIT(OPTION_STOP_TIMEOUT) | OPTION_BIT(OPTION_CONFIG),
		.takes_settings = true },
	    .run = start_again,
	},
	{
	    .path = "gateway reload",
	    .help = "Have the configuration read again, and tell what changed",
	    .about =
		"A configuration with errors changes nothing; status 1, and the first error.\n",
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_JSON) },
	    .run = ask_reload,
	},
	{
	    .path = "gateway status",
	    .help = "Tell whether the gateway runs, where, and since when",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_JSON) },
	    .run = inspect_status,
	},
	{
	    .path = "gateway health",
	    .help = "Tell whether all parts of the gateway work; status 1 when not",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_JSON) },
	    .run = inspect_health,
	},
	{
	    .path = "gateway providers",
	    .help = "List providers, what they offer, and how busy they are",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_JSON) },
	    .run = providers_run,
	},
	{
	    .path = "gateway connections",
	    .help = "List the connections that are open, or those that have ended",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_CLOSED) |
				   OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_JSON) },
	    .run = connections_run,
	},
	{
	    .path = "gateway why",
	    .help = "Tell what happened to a connection, and what can be done about it",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_JSON), .operand = "CONN" },
	    .run = why_run,
	},
	{
	    .path = "gateway call",
	    .help = "Call a method and print its result",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_PARAMS) |
				   OPTION_BIT(OPTION_SESSION_KEY) | OPTION_BIT(OPTION_TIMEOUT) |
				   OPTION_BIT(OPTION_JSON),
		.operand = "METHOD" },
	    .run = ask_call,
	},
	{
	    .path = "gateway tail",
	    .help = "Print events as they come, one a line",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_EVENTS) |
				   OPTION_BIT(OPTION_FILTER_KEY) | OPTION_BIT(OPTION_EVENT_COUNT) |
				   OPTION_BIT(OPTION_JSON) },
	    .run = tail_run,
	},
	{
	    .path = "gateway publish",
	    .help = "Publish an event",
	    .about = address_help,
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_PAYLOAD) |
				   OPTION_BIT(OPTION_SESSION_KEY) | OPTION_BIT(OPTION_JSON),
		.operand = "EVENT" },
	    .run = ask_publish,
	},
	{
	    .path = "gateway logs",
	    .help = "Print the last lines of the log",
	    .about =
		"Reads the file itself, so it works when nothing runs, too. With --url, --host or\n"
		"--port, or where there is no file, the gateway is asked for its last lines.\n",
	    .syntax = { .options = DIAL_OPTIONS | OPTION_BIT(OPTION_FOLLOW) |
				   OPTION_BIT(OPTION_LINES) | OPTION_BIT(OPTION_LOG_FILE) |
				   OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON) },
	    .run = logs_run,
	},
	{
	    .path = "gateway config check",
	    .help = "Print every error in the configuration",
	    .syntax = { .options = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON),
		.takes_settings = true },
	    .run = showconf_check,
	},
	{
	    .path = "gateway config show",
	    .help = "Print the configuration in force, as JSON",
	    .syntax = { .options = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_SOURCES) |
				   OPTION_BIT(OPTION_JSON),
		.takes_settings = true },
	    .run = showconf_show,
	},
	{
	    .path = "gateway config path",
	    .help = "Print which files are read, and whether they are there",
	    .syntax = { .options = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON) },
	    .run = showconf_path,
	},
	{
	    .path = "gateway token generate",
	    .help = "Print a new token",
	    .about = "It is made of random bytes, and is not put anywhere: that is up to you.\n",
	    .syntax = { .options = OPTION_BIT(OPTION_TOKEN_BYTES) | OPTION_BIT(OPTION_JSON) },
	    .run = token_generate,
	},
	{
	    .path = "gateway token hash",
	    .help = "Read a token from standard input, and print its digest",
	    .about = "The digest can stand wherever the configuration wants a token.\n",
	    .syntax = { .options = OPTION_BIT(OPTION_JSON) },
	    .run = token_hash,
	},
	{
	    .path = "gateway token list",
	    .help = "Print names, scopes and ends of the configured tokens",
	    .syntax = { .options = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON) },
	    .run = token_list,
	},
	{
	    .path = "gateway token check",
	    .help = "Read a token from standard input, and tell whose it is; status 4: nobody's",
	    .syntax = { .options = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON) },
	    .run = token_check,
	},
	{
	    .path = "daemon install",
	    .help = "Install the gateway as a service of this user",
	    .about = "Writes the unit lurkbot-gateway.service for systemd --user, with these "
		     "options, and\n"
		     "enables it. Another install replaces it. --bind lan needs authentication.\n",
	    .syntax = { .options = OPTION_BIT(OPTION_SERVICE_PORT) | OPTION_BIT(OPTION_BIND) |
				   OPTION_BIT(OPTION_WORKSPACE) | OPTION_BIT(OPTION_CONFIG) },
	    .run = install_run,
	},
	{
	    .path = "daemon uninstall",
	    .help = "Stop the service, and remove its unit",
	    .about = "Configuration, tokens, data and logs stay.\n",
	    .run = install_undo,
	},
	{
	    .path = "daemon start",
	    .help = "Start the service",
	    .about = no_manager_help,
	    .run = drive_start,
	},
	{
	    .path = "daemon stop",
	    .help = "Stop the service",
	    .about = no_manager_help,
	    .run = drive_stop,
	},
	{
	    .path = "daemon restart",
	    .help = "Stop the service, if it runs, and start it",
	    .about = no_manager_help,
	    .run = drive_restart,
	},
	{
	    .path = "daemon status",
	    .help =
		"Tell whether the service is installed, and whether it runs; status 3: it does not",
	    .syntax = { .options = OPTION_BIT(OPTION_JSON) },
	    .run = drive_status,
	},
	{
	    .path = "daemon diagnose",
	    .help = "Look for what could be wrong with the service; status 1: an error was found",
	    .about = "Each check is ok, a warning or an error, and says what to do.\n",
	    .syntax = { .options = OPTION_BIT(OPTION_JSON) },
	    .run = diagnose_run,
	},
	{
	    .path = "completion",
	    .help = "Print what lets bash, zsh or fish complete commands",
	    .about = "In bash: eval \"$(lurkbot completion bash)\"\n",
	    .syntax = { .operand = "bash|zsh|fish" },
	    .run = completion_run,
	},
};

size_t
verbs_count(void)
{
	return ARRAY_LEN(verbs);
}

/* How many words of argv the path begins with, and whether these are all of the path. */
static int
common_words(const char *path, int argc, char *const *argv, bool *ret_all)
{
	int n = 0;

	while (n < argc) {
		size_t length = strcspn(path, " ");

		if (strlen(argv[n]) != length || memcmp(argv[n], path, length) != 0)
			break;
		n++;
		path += length;
		if (*path == '\0')
			break;
		path++;
	}
	*ret_all = *path == '\0';
	return n;
}

const struct verb *
verbs_find(int argc, char *const *argv, int *ret_used)
{
	*ret_used = 0;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		bool all;
		int n = common_words(verbs[i].path, argc, argv, &all);

		if (n > *ret_used || all)
			*ret_used = n;
		if (all)
			return &verbs[i];
	}
	return NULL;
}

bool
verb_is_below(const struct verb *verb, char *const *argv, int n)
{
	bool all;

	return common_words(verb->path, n, argv, &all) == n;
}

/* Joins the words that could be a verb's behind the prefix. */
static void
join_words(int argc, char *const *argv, const char *prefix, char path[PATH_MAX_BYTES])
{
	size_t n = (size_t)snprintf(path, PATH_MAX_BYTES, "%s", prefix);

	for (int i = 0; i < argc && i < PATH_WORDS_MAX && argv[i][0] != '-'; i++) {
		int more =
		    snprintf(path + n, PATH_MAX_BYTES - n, "%s%s", n > 0 ? " " : "", argv[i]);

		if (more < 0 || n + (size_t)more >= PATH_MAX_BYTES)
			return;
		n += (size_t)more;
	}
}

/* The nearest path to the first n words behind the prefix. */
static const char *
find_near(int n, char *const *argv, const char *prefix, unsigned *least)
{
	char path[PATH_MAX_BYTES];
	const char *near = NULL;

	join_words(n, argv, prefix, path);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		unsigned distance = suggest_distance(span_cstr(path), span_cstr(verbs[i].path));

		if (distance < *least) {
			*least = distance;
			near = verbs[i].path;
		}
	}
	return near;
}

const char *
verbs_suggest(int argc, char *const *argv)
{
	const char *near = NULL;
	unsigned least = 3;

	/* Behind the verb there may be an operand, so fewer words are tried as well. */
	for (int n = 1; n <= argc && n <= PATH_WORDS_MAX; n++) {
		const char *plain = find_near(n, argv, "", &least);
		const char *below = find_near(n, argv, "gateway", &least);

		if (plain != NULL)
			near = plain;
		if (below != NULL)
			near = below;
	}
	return near;
}
