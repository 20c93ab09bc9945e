%%% The oracle: plays scenarios against OTP's own supervisor and writes down what happened.
%%%
%%% Nothing here supervises anything. Trees are built of real `supervisor` processes and of workers that
%%% fail their start when the scenario says so; the oracle only watches, and tells an outcome once the
%%% tree has settled. otp-oracle.ts writes the scenarios (one Erlang term each) and reads the traces (one
%%% line of JSON each); both formats are described there.
%%%
%%% Order is the hard part. A start is logged by the supervisor that made it, an end by the runtime's
%%% trace, which is emitted before anybody is told of the death. Both carry strictly monotonic
%%% timestamps, so sorting by them gives what caused what. Two kinds of ends happen at the same time and
%%% have no order in OTP: the instances of a dynamic supervisor that stops, and the orphans of a
%%% supervisor that was killed. These are written down last started first, each with its own subtree.
%%%
%%% Every process is a gen_server, or supervisor, of this module; names are binaries, the root's path is [].

-module('otp-oracle').
-behaviour(gen_server).

-export([main/1]).
-export([start_child/2, start_instance/5]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(LOG, oracle_log).
-define(FACTS, oracle_facts).
-define(SETTLE_MILLIS_MAX, 10000).

main([ScenarioFile]) ->
  try
    ok = logger:set_primary_config(level, none),
    erlang:trace_pattern('receive', [{['_', '_', {'EXIT', '_', '_'}], [], []}], []),
    {ok, Scenarios} = file:consult(ScenarioFile),
    Numbered = lists:zip(lists:seq(0, length(Scenarios) - 1), Scenarios),
    lists:foreach(fun({Index, Scenario}) -> io:put_chars([json(play(Index, Scenario)), $\n]) end, Numbered),
    halt(0)
  catch
    _:Reason ->
      io:format(standard_error, "~P~n", [Reason, 40]),
      halt(1)
  end.

%% Each scenario has a process of its own, which is also the parent of the scenario's root supervisor.
play(Index, Scenario) ->
  {Holder, Monitor} = spawn_monitor(fun() -> exit({trace, hold(Scenario)}) end),
  receive
    {'DOWN', Monitor, process, Holder, {trace, Trace}} -> Trace;
    {'DOWN', Monitor, process, Holder, Reason} -> error({scenario, Index, Reason})
  end.

hold(#{root := Root, actions := Actions}) ->
  process_flag(trap_exit, true),
  ets:new(?LOG, [named_table, public, ordered_set]),
  ets:new(?FACTS, [named_table, public, set]),
  ets:insert(?FACTS, {tracer, spawn_link(fun tracer/0)}),
  Boot =
    case start([], #{failures => [], ignores => [], supervisor => Root}) of
      {ok, Pid} -> {alive, Pid};
      {error, Reason} -> {dead, Reason}
    end,
  First = step(Boot, null, 0),
  {Steps, _} =
    lists:mapfoldl(
      fun(Action, Since) ->
        Answer = perform(Action),
        step(Boot, Answer, Since)
      end,
      element(2, First),
      Actions
    ),
  stop(Boot),
  [element(1, First) | Steps].

step(Boot, Answer, Since) ->
  Tree = settle(Boot),
  Step = #{
    events => events(Since),
    answer => Answer,
    tree => [node_json(Node) || Node <- Tree],
    rootEnding => root_ending(Boot)
  },
  {Step, ets:last(?LOG)}.

root_ending({dead, Reason}) -> text(Reason);
root_ending({alive, Root}) ->
  case fact({ended, Root}) of
    none -> null;
    Reason -> text(Reason)
  end.

stop({alive, Root}) ->
  exit(Root, shutdown),
  settle({dead, stopped});
stop({dead, _}) ->
  ok.

%% Starting. Supervisors call these, so the counters live in a table that survives them.

start_child(Supervisor, Child = #{name := Name}) -> start(Supervisor ++ [Name], Child).

start_instance(Supervisor, Template, Name, Failures, Ignores) ->
  start(Supervisor ++ [Name], Template#{name => Name, failures => Failures, ignores => Ignores}).

start(Path, Child) ->
  Attempt = ets:update_counter(?FACTS, {attempts, Path}, 1, {{attempts, Path}, 0}),
  ets:insert_new(?FACTS, {{rank, self(), Path}, erlang:unique_integer([monotonic])}),
  Result = attempt(plan(Attempt, Child), Path, Child),
  Outcome =
    case Result of
      {ok, Pid} ->
        ets:insert(?FACTS, [{{process, Pid}, {Path, self(), Child}}, {{pid, Path}, Pid}]),
        ok;
      ignore -> ignored;
      {error, _} -> failed
    end,
  Time = {erlang:monotonic_time(nanosecond), erlang:unique_integer([monotonic])},
  ets:insert(?LOG, {Time, {start, Path, Attempt, Outcome}}),
  Result.

plan(Attempt, #{failures := Failures, ignores := Ignores}) ->
  case {lists:member(Attempt, Failures), lists:member(Attempt, Ignores)} of
    {true, _} -> fail;
    {_, true} -> ignore;
    _ -> run
  end.

%% A supervisor's init has no way to fail with a reason of ours, hence it fails before it is started.
attempt(run, Path, #{supervisor := Spec}) -> supervisor:start_link(?MODULE, {supervisor, Path, Spec});
attempt(fail, _, #{supervisor := _}) -> {error, planned};
attempt(Plan, _, _) -> gen_server:start_link(?MODULE, {worker, Plan}, []).

init({worker, run}) ->
  process_flag(trap_exit, true),
  watch([procs]),
  {ok, running};
init({worker, fail}) ->
  {stop, planned};
init({worker, ignore}) ->
  ignore;
init({supervisor, Path, Spec}) ->
  watch([procs, 'receive']),
  Flags = maps:with([strategy, intensity, period, auto_shutdown], Spec),
  {ok, {Flags, [child_spec(Path, Spec, Child) || Child <- maps:get(children, Spec)]}}.

child_spec(Path, #{strategy := simple_one_for_one}, Child) ->
  (child_spec(Child))#{start => {?MODULE, start_instance, [Path, Child]}};
child_spec(Path, _, Child) ->
  (child_spec(Child))#{start => {?MODULE, start_child, [Path, Child]}}.

child_spec(Child = #{name := Name}) ->
  Type =
    case Child of
      #{supervisor := _} -> supervisor;
      _ -> worker
    end,
  (maps:with([restart, significant, shutdown], Child))#{id => Name, type => Type}.

handle_call(Request, _From, State) -> {stop, {unexpected, Request}, State}.

handle_cast({exit, Reason}, State) -> {stop, Reason, State}.

%% Acting. The answer is null where nobody answers, and noproc where nobody is there to act on.

perform(#{kind := exit, path := Path, reason := Reason}) ->
  with_pid(Path, fun(Pid) ->
    ets:insert(?FACTS, {{injected, Pid}, true}),
    Monitor = monitor(process, Pid),
    inject(Reason, Pid, child_of(Pid)),
    receive
      {'DOWN', Monitor, process, Pid, _} -> null
    end
  end);
perform(#{kind := terminate_child, path := Path}) ->
  with_supervisor(Path, fun(Supervisor, Name) ->
    supervisor:terminate_child(Supervisor, child_id(Supervisor, Path, Name))
  end);
perform(#{kind := restart_child, path := Path}) ->
  with_supervisor(Path, fun supervisor:restart_child/2);
perform(#{kind := delete_child, path := Path}) ->
  with_supervisor(Path, fun supervisor:delete_child/2);
perform(#{kind := start_child, path := Path, child := Child = #{name := Name}}) ->
  with_supervisor(Path ++ [Name], fun(Supervisor, _) ->
    %% To OTP instances have no names. Here they do, and each name has one holder at a time.
    case strategy(Supervisor) =:= simple_one_for_one andalso running(Path ++ [Name]) of
      Pid when is_pid(Pid) -> {error, {already_started, Pid}};
      _ -> start_by_hand(Supervisor, Path, Child)
    end
  end).

start_by_hand(Supervisor, Path, Child = #{name := Name}) ->
  Result = supervisor:start_child(Supervisor, start_argument(Supervisor, Path, Child)),
  case Result of
    {ok, _} -> ets:insert(?FACTS, {{rank, Supervisor, Path ++ [Name]}, erlang:unique_integer([monotonic])});
    {error, _} -> ok
  end,
  Result.

%% An exit signal from a stranger means nothing to a supervisor, except a kill. Stopping it with a reason
%% is the nearest thing to a supervisor that ends by itself.
inject(kill, Pid, _) -> exit(Pid, kill);
inject(Reason, Pid, #{supervisor := _}) -> spawn(fun() -> catch gen_server:stop(Pid, Reason, infinity) end);
inject(Reason, Pid, _) -> gen_server:cast(Pid, {exit, Reason}).

%% A dynamic supervisor knows its instances by pid. It answers ok for any dead one, and not_found only for
%% a live stranger such as this process, which therefore stands for every name never heard of.
child_id(Supervisor, Path, Name) ->
  case strategy(Supervisor) of
    simple_one_for_one ->
      case fact({pid, Path}) of
        none -> self();
        Pid -> Pid
      end;
    _ -> Name
  end.

start_argument(Supervisor, Path, Child = #{name := Name, failures := Failures, ignores := Ignores}) ->
  case strategy(Supervisor) of
    simple_one_for_one -> [Name, Failures, Ignores];
    Strategy -> child_spec(Path, #{strategy => Strategy}, Child)
  end.

with_supervisor(Path, Act) ->
  with_pid(lists:droplast(Path), fun(Pid) ->
    case child_of(Pid) of
      #{supervisor := _} -> answer(Act(Pid, lists:last(Path)));
      _ -> <<"noproc">>
    end
  end).

with_pid(Path, Act) ->
  case running(Path) of
    none -> <<"noproc">>;
    Pid -> Act(Pid)
  end.

running(Path) ->
  case fact({pid, Path}) of
    none -> none;
    Pid ->
      case is_process_alive(Pid) of
        true -> Pid;
        false -> none
      end
  end.

answer(ok) -> <<"ok">>;
answer({ok, undefined}) -> <<"ignored">>;
answer({ok, _}) -> <<"ok">>;
answer({error, {already_started, _}}) -> <<"already_started">>;
answer({error, {Reason, Child}}) when element(1, Child) =:= child -> text(Reason);
answer({error, Reason}) -> text(Reason).

%% Settling. A tree has settled when every process that was started and has not ended hangs in it, nobody
%% hangs in it who has ended, and nobody is restarting: then no supervisor has anything left to react to.
%% A death that its supervisor has not noticed yet, a restart that is being retried, an orphan on its way
%% out: each breaks one of the three. Seen twice, because one look is not a snapshot.

settle(Boot) -> settle(Boot, none, erlang:monotonic_time(millisecond) + ?SETTLE_MILLIS_MAX).

settle(Boot, Before, DeadlineMillis) ->
  erlang:monotonic_time(millisecond) < DeadlineMillis orelse exit(did_not_settle),
  case look(Boot) of
    busy ->
      erlang:yield(),
      settle(Boot, none, DeadlineMillis);
    {settled, Tree} when Tree =:= Before -> Tree;
    {settled, Tree} -> settle(Boot, Tree, DeadlineMillis)
  end.

look(Boot) ->
  try
    {Root, Tree} =
      case Boot of
        {dead, _} -> {[], []};
        {alive, Pid} ->
          case fact({ended, Pid}) of
            none -> {[Pid], children(Pid)};
            _ -> {[], []}
          end
      end,
    Present = lists:sort(Root ++ pids(Tree)),
    Started = [Pid || [Pid] <- ets:match(?FACTS, {{process, '$1'}, '_'})],
    Living = lists:sort([Pid || Pid <- Started, fact({ended, Pid}) =:= none]),
    case Present =:= Living of
      true -> {settled, Tree};
      false -> busy
    end
  catch
    throw:busy -> busy
  end.

children(Supervisor) ->
  Listed =
    try
      supervisor:which_children(Supervisor)
    catch
      exit:_ -> throw(busy)
    end,
  {Path, _, _} = fact({process, Supervisor}),
  case strategy(Supervisor) of
    simple_one_for_one ->
      Nodes = [child_node(name(Pid), Pid, Type) || {_, Pid, Type, _} <- Listed],
      Rank = fun({Name, _, _}) -> fact({rank, Supervisor, Path ++ [Name]}) end,
      [Node || {_, Node} <- lists:sort([{Rank(Node), Node} || Node <- Nodes])];
    _ ->
      [child_node(Name, Pid, Type) || {Name, Pid, Type, _} <- lists:reverse(Listed)]
  end.

%% OTP keeps one nameless, lifeless entry for all instances whose restart was ignored.
name(restarting) -> throw(busy);
name(undefined) -> <<"undefined">>;
name(Pid) ->
  case fact({process, Pid}) of
    none -> throw(busy);
    {Path, _, _} -> lists:last(Path)
  end.

child_node(_, restarting, _) -> throw(busy);
child_node(Name, undefined, _) -> {Name, undefined, leaf};
child_node(Name, Pid, Type) ->
  fact({ended, Pid}) =:= none orelse throw(busy),
  case Type of
    worker -> {Name, Pid, leaf};
    supervisor -> {Name, Pid, children(Pid)}
  end.

pids(leaf) -> [];
pids(Nodes) -> lists:append([[Pid | pids(Inner)] || {_, Pid, Inner} <- Nodes, is_pid(Pid)]).

node_json({Name, undefined, _}) -> #{name => Name, state => undefined};
node_json({Name, _, leaf}) -> #{name => Name, state => running};
node_json({Name, _, Inner}) -> #{name => Name, state => running, children => [node_json(N) || N <- Inner]}.

%% Watching.

watch(Flags) ->
  Options = [strict_monotonic_timestamp, {tracer, fact(tracer)} | Flags],
  erlang:trace(self(), true, Options).

tracer() ->
  receive
    {trace_ts, Pid, exit, Reason, Time} ->
      ets:insert(?LOG, {Time, {ended, Pid, Reason}}),
      ets:insert(?FACTS, {{ended, Pid}, Reason});
    {trace_ts, Pid, 'receive', {'EXIT', From, _}, _} ->
      ets:insert(?FACTS, {{told_by, Pid, From}, true});
    _ ->
      ok
  end,
  tracer().

%% Ends of processes whose start did not succeed are part of that start and are left out.
events(Since) ->
  Entries = ets:select(?LOG, [{{'$1', '_'}, [{'>', '$1', {const, Since}}], ['$_']}]),
  Ends = maps:from_list([{Pid, Time} || {Time, {ended, Pid, _}} <- Entries, fact({process, Pid}) =/= none]),
  Keyed = lists:append([keyed(Entry, Ends) || Entry <- Entries]),
  [Event || {_, Event} <- lists:sort(Keyed)].

keyed({Time, {start, Path, Attempt, Outcome}}, _) ->
  [{[Time], #{event => start, path => Path, attempt => Attempt, outcome => Outcome}}];
keyed({Time, {ended, Pid, Reason}}, Ends) ->
  case fact({process, Pid}) of
    none -> [];
    {Path, _, _} ->
      [{place(Pid, Ends) ++ [Time], #{event => ending(Pid), path => Path, reason => text(Reason)}}]
  end.

%% Where an end belongs: a list of keys, compared key by key, that is longer for each group of concurrent
%% ends around it. In a group the last started sibling comes first, with all that ended below it.
place(Pid, Ends) ->
  case fact({process, Pid}) of
    none -> [];
    {Path, Parent, _} ->
      case group(Pid, Parent, Ends) of
        none -> place(Parent, Ends);
        Time -> place(Parent, Ends) ++ [Time, -fact({rank, Parent, Path})]
      end
  end.

group(Pid, Parent, Ends) ->
  case Ends of
    #{Pid := Time, Parent := ParentTime} when ParentTime < Time -> ParentTime;
    #{Pid := _, Parent := _} ->
      case strategy(Parent) =:= simple_one_for_one andalso ending(Pid) =:= stop of
        true -> lists:min([Time || {Other, Time} <- maps:to_list(Ends), stopped_below(Other, Parent)]);
        false -> none
      end;
    _ -> none
  end.

stopped_below(Pid, Supervisor) ->
  case fact({process, Pid}) of
    none -> false;
    {_, Supervisor, _} -> ending(Pid) =:= stop;
    {_, Parent, _} -> stopped_below(Parent, Supervisor)
  end.

%% A stop was ordered by the parent, an exit was not: it was injected, or a supervisor gave up by itself.
ending(Pid) ->
  {_, Parent, Child} = fact({process, Pid}),
  Ordered =
    case Child of
      #{supervisor := _} -> fact({told_by, Pid, Parent}) =/= none orelse fact({ended, Pid}) =:= killed;
      _ -> true
    end,
  case Ordered andalso fact({injected, Pid}) =:= none of
    true -> stop;
    false -> exit
  end.

strategy(Supervisor) ->
  #{supervisor := #{strategy := Strategy}} = child_of(Supervisor),
  Strategy.

child_of(Pid) ->
  {_, _, Child} = fact({process, Pid}),
  Child.

fact(Key) ->
  case ets:lookup(?FACTS, Key) of
    [{_, Value}] -> Value;
    [] -> none
  end.

%% Writing. A reason is printed as Erlang would, with names bare, without stack traces, and with
%% pids blanked, which differ from run to run.

text(Term) -> iolist_to_binary(phrase(Term)).

phrase(Term) when is_pid(Term) -> "<pid>";
phrase(Term) when is_binary(Term) -> Term;
phrase({Error, [{_, _, _, Location} | _]}) when is_list(Location) -> phrase(Error);
phrase(Term) when is_tuple(Term) -> ["{", lists:join(",", [phrase(T) || T <- tuple_to_list(Term)]), "}"];
phrase(Term) when is_list(Term) -> ["[", lists:join(",", [phrase(T) || T <- Term]), "]"];
phrase(Term) -> io_lib:format("~w", [Term]).

json(null) -> "null";
json(Atom) when is_atom(Atom) -> json(atom_to_binary(Atom));
json(Number) when is_integer(Number) -> integer_to_list(Number);
json(Text) when is_binary(Text) ->
  [$", [escaped(Point) || Point <- unicode:characters_to_list(Text)], $"];
json(List) when is_list(List) ->
  ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Map) when is_map(Map) ->
  ["{", lists:join(",", [[json(Key), ":", json(Value)] || {Key, Value} <- maps:to_list(Map)]), "}"].

escaped(Point) when Point >= 16#20, Point < 16#7F, Point =/= $", Point =/= $\\ -> Point;
escaped(Point) when Point < 16#10000 -> io_lib:format("\\u~4.16.0b", [Point]);
escaped(Point) ->
  Low = Point - 16#10000,
  [escaped(16#D800 + (Low bsr 10)), escaped(16#DC00 + (Low band 16#3FF))].
