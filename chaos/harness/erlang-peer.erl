%%% The Erlang half of the runtime's benchmarks: what BEAM does with the same work, on the same machine.
%%%
%%% Prints one line per figure, `name value`, and nothing else. To be fair to Erlang each figure is the
%%% best of three, every repetition runs in a process of its own with an empty heap, and the logger is off.
%%% `-scale 0.01` on the command line does a hundredth of the work.

-module('erlang-peer').
-behaviour(gen_server).

-export([main/0, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(REPETITIONS, 3).

main() ->
  ok = logger:set_primary_config(level, none),
  figures(),
  halt(0).

figures() ->
  Scale = scale(),
  Count = fun(Full) -> max(1, round(Full * Scale)) end,
  fastest("tellsPerSecond", Count(5000000), [tells(on_heap), tells(off_heap)]),
  fastest("roundTripsPerSecond", Count(1000000), [fun round_trips/1]),
  fastest("callsPerSecond", Count(1000000), [fun calls/1]),
  fastest("spawnsPerSecond", Count(500000), [fun spawns/1]),
  fastest("spawnStopsPerSecond", Count(500000), [fun spawn_stops/1]),
  smallest("bytesPerProcess", Count(100000), fun bare_process/0),
  smallest("bytesPerGenServer", Count(100000), fun idle_gen_server/0),
  fastest("restartsPerSecond", Count(50000), [fun restarts/1]),
  fastest("restartsPerSecondFreshSupervisors", Count(50000), [fun restarts_fresh_supervisors/1]).

scale() ->
  case init:get_argument(scale) of
    {ok, [[Text]]} -> binary_to_float(list_to_binary(Text));
    error -> 1.0
  end.

%% Each measurement returns the nanoseconds that its `Count` operations took. Of several ways the best counts.
fastest(Name, Count, Ways) ->
  Nanos = lists:min([alone(fun() -> Way(Count) end) || Way <- Ways, _ <- lists:seq(1, ?REPETITIONS)]),
  print(Name, Count * 1.0e9 / Nanos).

smallest(Name, Count, Spawn) ->
  Bytes = lists:min([alone(fun() -> bytes(Count, Spawn) end) || _ <- lists:seq(1, ?REPETITIONS)]),
  print(Name, Bytes / Count).

print(Name, Value) -> io:format("~s ~.1f~n", [Name, float(Value)]).

alone(Measure) ->
  {Pid, Monitor} = spawn_monitor(fun() -> exit({measured, Measure()}) end),
  receive
    {'DOWN', Monitor, process, Pid, {measured, Value}} -> Value;
    {'DOWN', Monitor, process, Pid, Reason} -> error(Reason)
  end.

nanos(Work) ->
  Before = erlang:monotonic_time(nanosecond),
  Work(),
  erlang:monotonic_time(nanosecond) - Before.

%% One sender floods one receiver, which reports once it has counted them all. Where a message queue is
%% better kept depends on the number of schedulers.

tells(QueueData) ->
  fun(Count) ->
    Driver = self(),
    Receiver = spawn_opt(fun() -> count(Count, Driver) end, [link, {message_queue_data, QueueData}]),
    nanos(fun() ->
      flood(Receiver, Count),
      receive
        counted -> ok
      end
    end)
  end.

flood(_, 0) -> ok;
flood(Receiver, Left) ->
  Receiver ! {add, Left},
  flood(Receiver, Left - 1).

count(0, Driver) -> Driver ! counted;
count(Left, Driver) ->
  receive
    {add, _} -> count(Left - 1, Driver)
  end.

%% Two processes, no gen_server, no monitor.

round_trips(Count) ->
  Echo = spawn_link(fun echo/0),
  nanos(fun() -> ping(Echo, Count) end).

ping(_, 0) -> ok;
ping(Echo, Left) ->
  Echo ! {ping, self()},
  receive
    pong -> ping(Echo, Left - 1)
  end.

echo() ->
  receive
    {ping, From} ->
      From ! pong,
      echo()
  end.

calls(Count) ->
  {ok, Server} = gen_server:start_link(?MODULE, idle, []),
  nanos(fun() -> call(Server, Count) end).

call(_, 0) -> ok;
call(Server, Left) ->
  pong = gen_server:call(Server, ping),
  call(Server, Left - 1).

%% Spawning. That all have stopped shows in the number of processes, which costs them nothing.

spawns(Count) ->
  Baseline = erlang:system_info(process_count),
  Nanos = nanos(fun() -> put(spawned, spawn_many(Count, [])) end),
  stop_many(erase(spawned), Baseline),
  Nanos.

spawn_stops(Count) ->
  Baseline = erlang:system_info(process_count),
  nanos(fun() -> stop_many(spawn_many(Count, []), Baseline) end).

spawn_many(0, Pids) -> Pids;
spawn_many(Left, Pids) -> spawn_many(Left - 1, [spawn(fun wait_for_stop/0) | Pids]).

wait_for_stop() ->
  receive
    stop -> ok
  end.

stop_many(Pids, Baseline) ->
  [Pid ! stop || Pid <- Pids],
  await_count(Baseline).

await_count(Baseline) ->
  case erlang:system_info(process_count) > Baseline of
    true ->
      erlang:yield(),
      await_count(Baseline);
    false ->
      ok
  end.

%% Memory of idle processes, garbage collected, without the driver's own list of them. A process leaves the
%% count before its memory is given back, so what an earlier repetition left behind gets a moment.

bytes(Count, Spawn) ->
  timer:sleep(300),
  Baseline = erlang:system_info(process_count),
  Before = process_bytes(),
  Pids = [Spawn() || _ <- lists:seq(1, Count)],
  [garbage_collect(Pid) || Pid <- Pids],
  After = process_bytes(),
  [exit(Pid, kill) || Pid <- Pids],
  await_count(Baseline),
  After - Before.

process_bytes() ->
  garbage_collect(),
  {memory, Own} = process_info(self(), memory),
  erlang:memory(processes) - Own.

bare_process() -> spawn(fun wait_for_stop/0).

idle_gen_server() ->
  {ok, Pid} = gen_server:start(?MODULE, idle, []),
  Pid.

%% One child crashes again and again; its next incarnation reports before it is crashed again. OTP keeps
%% the time of every restart within the period and walks that list at each restart, so with a limit that
%% allows tens of thousands a second most of the time goes there. A supervisor that is replaced every 500
%% restarts shows the restart itself.

restarts(Count) ->
  process_flag(trap_exit, true),
  nanos(fun() -> supervised(Count) end).

restarts_fresh_supervisors(Count) ->
  process_flag(trap_exit, true),
  nanos(fun() -> supervised_in_rounds(Count) end).

supervised_in_rounds(0) -> ok;
supervised_in_rounds(Count) ->
  Round = min(Count, 500),
  supervised(Round),
  supervised_in_rounds(Count - Round).

supervised(Count) ->
  {ok, Supervisor} = supervisor:start_link(?MODULE, {supervisor, self()}),
  crash(Count),
  Monitor = monitor(process, Supervisor),
  exit(Supervisor, shutdown),
  receive
    {'DOWN', Monitor, process, Supervisor, _} -> ok
  end,
  receive
    {'EXIT', Supervisor, _} -> ok
  end.

crash(Left) ->
  receive
    {up, Child} when Left > 0 ->
      gen_server:cast(Child, crash),
      crash(Left - 1);
    {up, _} ->
      ok
  end.

start_link(Driver) -> gen_server:start_link(?MODULE, {child, Driver}, []).

init({supervisor, Driver}) ->
  Flags = #{strategy => one_for_one, intensity => 1000000000, period => 1},
  {ok, {Flags, [#{id => child, start => {?MODULE, start_link, [Driver]}}]}};
init({child, Driver}) ->
  Driver ! {up, self()},
  {ok, idle};
init(idle) ->
  {ok, idle}.

handle_call(ping, _From, State) -> {reply, pong, State}.

handle_cast(crash, _State) -> error(crashed).
