#include "number.h"

#include <limits.h>
#include <stdlib.h>

int number_int(const char *text)
{
    long long value = text != NULL ? strtoll(text, NULL, 10) : 0;
    return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

double number_real(const char *text)
{
    return text != NULL ? strtod(text, NULL) : 0;
}
