/* SPDX-License-Identifier: MPL-2.0 */
/* Telling the service manager: the sd_notify(3) protocol, one datagram to $NOTIFY_SOCKET. */
#ifndef GATEPOST_PROXY_NOTIFY_H
#define GATEPOST_PROXY_NOTIFY_H

/* notify_send - "READY=1", "STOPPING=1"; nothing happens without a service manager. */
void notify_send(const char *state);

#endif
