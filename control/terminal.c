#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define USUAL_WIDTH 80
#define USUAL_HEIGHT 24

/* All zero when there is no terminal. */
static struct winsize size(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size = (struct winsize){0};
    }
    return size;
}

int terminal_width(void)
{
    int columns = size().ws_col;
    return columns > 0 ? columns : USUAL_WIDTH;
}

int terminal_height(void)
{
    int rows = size().ws_row;
    return rows > 0 ? rows : USUAL_HEIGHT;
}
