/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The sub-commands of the binary. argv[0] is the sub-command's name; the result is the
 * process's exit status: 0 done, 1 it failed or the configuration is wrong, 2 the command line
 * is wrong.
 */
#ifndef GATEPOST_PROXY_COMMANDS_COMMANDS_H
#define GATEPOST_PROXY_COMMANDS_COMMANDS_H

#ifndef GATEPOST_VERSION
#define GATEPOST_VERSION "0.1" /* the Makefile knows better */
#endif

#define EXIT_USAGE	    2
#define CONFIG_FILE_DEFAULT "/etc/gatepost/proxy.conf"

int command_run(int argc, char **argv);
/* What "run" starts; nobody else does. */
int command_gate(int argc, char **argv);
int command_keeper(int argc, char **argv);
int command_judge(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_keygen(int argc, char **argv);
int command_links(int argc, char **argv);
int command_passwd(int argc, char **argv);
int command_dmarc_report(int argc, char **argv);
int command_rotate(int argc, char **argv);
int command_test_policy(int argc, char **argv);
int command_check_domain(int argc, char **argv);
int command_trace(int argc, char **argv);

#endif
