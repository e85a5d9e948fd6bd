/* An osascript that notes when it was started and then becomes the one that
   ARGV0.target names. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
	struct timespec now;
	static char path[4096], target[4096], line[64];
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(path, sizeof path, "%s.starts", argv[0]);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int n = snprintf(line, sizeof line, "%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	if (fd < 0 || write(fd, line, n) != n) return 2;
	snprintf(path, sizeof path, "%s.target", argv[0]);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, target, sizeof target - 1) <= 0) return 2;
	argv[0] = target;
	execv(target, argv);
	return 2;
}
