// SPDX-License-Identifier: Apache-2.0
// Connects to 127.0.0.1:PORT and prints the first line it gets for "GET /".
// With DIRECT it calls socket(2) as a C library for Linux 4.3 or newer does.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef DIRECT
#define socket(family, type, protocol) syscall(SYS_socket, family, type, protocol)
#endif

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	const char *get = "GET / HTTP/1.0\r\n\r\n";
	char line[256];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0) {
		perror("socket");
		return 1;
	}
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || write(fd, get, strlen(get)) < 0) {
		perror("connect");
		return 1;
	}
	FILE *in = fdopen(fd, "r");
	if (fgets(line, sizeof(line), in))
		fputs(line, stdout);
	return 0;
}
