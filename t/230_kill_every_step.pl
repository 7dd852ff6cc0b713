# The CLI is killed at every step of both roads and of their undo, behind PgBouncer.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::KillEveryStep;

kill_every_step(sub { return start_pgbouncer('pgbouncer', app => $_[0]) });
done_testing();
