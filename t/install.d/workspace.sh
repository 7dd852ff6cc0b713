# A workspace: the folder that tests run in, with copies of the tests and of the programs that they test.
#
# The copy is what makes one way of running fit all: servers refuse to run as root, and the user they run as may not be
# able to enter the checkout, nor should leave files of its own there. Every process that a test leaves behind has its
# working folder in here, and is found by that.

make_workspace()
{
    workspace=$(mktemp -d "${TMPDIR:-/tmp}/penstock-check.XXXXXX")
    cp -R "$root_folder/t" "$workspace/t"
    mkdir "$workspace/state"
    cp "$root_folder/state/schema.sql" "$workspace/state/"
    cp -R "$root_folder/docs" "$workspace/docs"
    cp "$root_folder/README.md" "$workspace/"
    chmod 755 "$workspace"
    chmod -R a+rX "$workspace/t" "$workspace/state" "$workspace/docs" "$workspace/README.md"
    if [ "$(id -u)" = 0 ]; then
        chown "$test_user" "$workspace"
    fi
}

# copy_build PRESET: the programs of that build, and the plugins if it has them.
copy_build()
{
    local from=$root_folder/build/$1 to=$workspace/build/$1 plugin
    mkdir -p "$to"
    cp -R "$from/bin" "$to/bin"
    for plugin in "$from"/decoder/pg*/penstock.so; do
        [ -e "$plugin" ] || continue
        mkdir -p "$to/decoder/$(basename "$(dirname "$plugin")")"
        cp "$plugin" "$to/decoder/$(basename "$(dirname "$plugin")")/"
    done
    chmod -R a+rX "$workspace/build"
}

# in_workspace PRESET COMMAND …: runs it there as the user of the tests, with the programs of that build.
in_workspace()
{
    local preset=$1
    shift
    (
        cd "$workspace" &&
            as_test_user env HOME="$workspace" TMPDIR="$workspace" TESTDIR="$workspace" PENSTOCK_SERVERS="$servers_folder" \
                PENSTOCK_BUILD="$workspace/build/$preset" PENSTOCK_DECODER="$workspace/build/release/decoder" "$@"
    )
}

workspace_processes()
{
    local folder
    for folder in /proc/[0-9]*; do
        case $(readlink "$folder/cwd" 2>/dev/null) in
        "$workspace"/*) printf '%s ' "${folder#/proc/}" ;;
        esac
    done
}

end_workspace_processes()
{
    local left attempt process
    left=$(workspace_processes)
    [ -n "$left" ] || return 0
    for process in $left; do
        say "ending what the tests left running: $process $(tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null | cut -c -100)"
    done
    kill -QUIT $left 2>/dev/null || true # PostgreSQL's immediate shutdown
    for attempt in $(seq 50); do
        left=$(workspace_processes)
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    kill -KILL $left 2>/dev/null || true
}

# remove_workspace KEPT_LOGS: with a folder named, the tests' logs are moved there first.
remove_workspace()
{
    [ -n "${workspace:-}" ] || return 0
    end_workspace_processes
    if [ -n "$1" ] && [ -d "$workspace/tmp_check/log" ]; then
        rm -rf "$1"
        mkdir -p "$1"
        cp -R "$workspace/tmp_check/log/." "$1/"
        say "logs of the tests: $1"
    fi
    rm -rf "$workspace"
    workspace=
}
