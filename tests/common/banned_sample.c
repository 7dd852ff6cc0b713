/* Must not compile with common/banned.h in front of it, unless the call is none that is banned. */
#ifdef ALLOWED
#define COPY(to, from) memcpy(to, from, 2)
#else
#define COPY(to, from) strcpy(to, from)
#endif

void copy(char *to, const char *from);

void copy(char *to, const char *from)
{
    COPY(to, from);
}
