/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parent of all: starts the gate, and the keepers that the gate asks for; starts the gate
 * again when it ends; hands signals on to it. It has one thread, reads no octet of a peer,
 * holds no key, and looks into no configuration but in a child. Started as root it stays root,
 * for nobody else can start a keeper that may read root's keys and then is somebody else.
 */
#ifndef GATEPOST_PROXY_SUPERVISOR_H
#define GATEPOST_PROXY_SUPERVISOR_H

/* supervisor_run - until SIGTERM, SIGINT, or a gate that could not start at all. The exit
 * status: the gate's. */
int supervisor_run(const char *file);

#endif
