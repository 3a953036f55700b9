/*
 * Why this file exists: calls and jobs do not know of each other, since each could stand on a worker of its own.
 */
#include "gateway/switchboard.h"

#include "bus/mailbox.h"
#include "bus/providers.h"
#include "gateway/calls.h"
#include "gateway/context.h"
#include "gateway/jobs.h"
#include "gateway/kept.h"
#include "gateway/post.h"
#include "gateway/routes.h"

bool
switchboard_init(struct gateway *g)
{
	g->routes = routes_new();
	g->calls = calls_new();
	g->jobs = jobs_new();
	g->kept = kept_new();
	return g->kept != NULL && g->routes != NULL && g->calls != NULL && g->jobs != NULL;
}

void
switchboard_fini(struct gateway *g)
{
	calls_free(g->calls);
	jobs_free(g->jobs);
	kept_free(g->kept);
	routes_free(g->routes);
	g->kept = NULL;
	g->calls = NULL;
	g->jobs = NULL;
	g->routes = NULL;
}

void
switchboard_mail(struct gateway *g, const struct mail *mail)
{
	switch (mail->kind) {
	case MAIL_CALL:
	case MAIL_CANCEL:
		jobs_mail(g, mail);
		break;
	case MAIL_PROGRESS:
	case MAIL_RESULT:
	case MAIL_ERROR:
	case MAIL_GONE:
		calls_mail(g, mail);
		break;
	default:
		break;
	}
}

void
switchboard_turn(struct gateway *g)
{
	uint64_t news = providers_news(g->providers, g->slot);

	calls_turn(g, news);
	kept_turn(g, news);
	jobs_turn(g);
}

void
switchboard_tick(struct gateway *g, uint64_t now_ms)
{
	calls_look(g);
	kept_tick(g, now_ms);
	jobs_look(g, now_ms);
}
