# The CLI is killed at every step of both roads and of their undo, behind pgcat: a real one where there is one, else the
# stand-in.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::KillEveryStep;
use PenstockTest::Pgcat;

kill_every_step(sub {
    return PenstockTest::Pgcat->start_new('pgcat', scalar PenstockTest::Pgcat::real(), 'app', $_[0]);
});
done_testing();
