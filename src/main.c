/*
 * The program: what the layers do not know of each other is put together here.
 */
#include "cli/cli.h"
#include "conf/jsontree.h"
#include "sys/tls_context.h"
#include "supervisor/supervisor.h"
#include "sys/proctitle.h"
#include "worker/worker.h"

int
main(int argc, char **argv)
{
	const struct supervisor_program program = { .worker_main = worker_main };
	struct proctitle title;
	int status;

	tls_prepare();
	jsontree_prepare();
	proctitle_init(&title, argc, argv);
	status = cli_main(argc, argv, &program, &title);
	proctitle_fini(&title);
	return status;
}
