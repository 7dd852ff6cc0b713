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
    my ($source) = @_;
    my $program = PenstockTest::Pgcat::real();
    my $proxy = PenstockTest::Pgcat->start_new('pgcat', $program, 'app', $source);
    return ($proxy, 'pgcat:' . $proxy->admin_uri . ',config=' . $proxy->config, $proxy->uri('app'));
});
done_testing();
