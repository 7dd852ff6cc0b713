# The CLI is killed at every step of both roads and of their undo, behind PgBouncer.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::KillEveryStep;

kill_every_step(sub {
    my ($source) = @_;
    my $proxy = start_pgbouncer('pgbouncer', app => $source);
    return ($proxy, 'pgbouncer:' . $proxy->admin_uri . ',config=' . $proxy->config, $proxy->uri('app', user => 'app'));
});
done_testing();
