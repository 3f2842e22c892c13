/* Runs a command and writes what it cost to a file:  measure FILE COMMAND [ARGUMENT…]
 *
 * One line: exit status, wall s, user s, system s, peak RSS in kB. The kernel carries the peak of the process that forks
 * over into the child, so a Python parent would put a floor of its own size under every figure; this parent weighs one
 * megabyte. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

int main(int argc, char **argv)
{
    if (argc < 3) return fputs("usage: measure FILE COMMAND [ARGUMENT…]\n", stderr), 2;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage used;
    if (child < 0 || wait4(child, &status, 0, &used) < 0) return perror("measure"), 2;
    clock_gettime(CLOCK_MONOTONIC, &end);

    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    double wall = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
    FILE *file = fopen(argv[1], "w");
    if (!file) return perror(argv[1]), 2;
    fprintf(file, "%d %.6f %.6f %.6f %ld\n", code, wall, seconds(used.ru_utime), seconds(used.ru_stime),
            used.ru_maxrss);
    return fclose(file) == 0 ? 0 : 2;
}
