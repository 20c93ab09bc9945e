%%% The Erlang half of the remoting benchmark: gen_server calls between two BEAM nodes of this machine.
%%%
%%% This node asks; it starts the answering one itself. Prints one line per figure, `name value`. Nodes find
%%% each other through fixed ports instead of epmd, which would stay behind as a daemon. To be fair to
%%% Erlang each figure is the best of three, and every repetition runs in processes of its own.
%%% `-scale 0.01` on the command line does a hundredth of the work.

-module('erlang-remoting').
-behaviour(gen_server).

-export([main/0, answer/0]).
-export([init/1, handle_call/3, handle_cast/2]).
-export([start_link/0, register_node/3, register_node/2, listen_port_please/2, address_please/3, port_please/2, names/1]).

-define(REPETITIONS, 3).
-define(MIB, 1048576).

%% The least that the distribution asks of an epmd.
start_link() -> ignore.
register_node(_Name, _Port) -> {ok, 1}.
register_node(_Name, _Port, _Family) -> {ok, 1}.
listen_port_please(Name, _Host) -> {ok, port_of(Name)}.
port_please(Name, _Host) -> {port, port_of(Name), 6}.
address_please(Name, _Host, _Family) -> {ok, {127, 0, 0, 1}, port_of(Name), 6}.
names(_Host) -> {error, address}.

port_of(Name) ->
  [_ | Port] = string:split(case is_atom(Name) of true -> atom_to_list(Name); false -> Name end, "p"),
  list_to_integer(hd(Port)).

%% On the answering node.
answer() ->
  {ok, _} = gen_server:start({local, adder}, ?MODULE, [], []),
  %% It ends with the node that asks.
  {ok, [[Asking]]} = init:get_argument(asking),
  connect(list_to_atom(Asking), 500),
  monitor_node(list_to_atom(Asking), true),
  receive {nodedown, _} -> halt(0) end.

init([]) -> {ok, 0}.
handle_call({add, N}, _From, State) -> {reply, N + 1, State};
handle_call({store, Bytes}, _From, State) -> {reply, byte_size(Bytes), State}.
handle_cast(_, State) -> {noreply, State}.

main() ->
  ok = logger:set_primary_config(level, none),
  {ok, [[Answering]]} = init:get_argument(answering),
  Node = list_to_atom(Answering),
  connect(Node, 500),
  Adder = {adder, Node},
  wait_for(Node, 500),
  Scale = scale(),
  figures(Adder, 1, amount(5000, Scale)),
  figures(Adder, 256, amount(200000, Scale)),
  transfers(Adder, max(5, round(200 * Scale))),
  halt(0).

connect(Node, 0) -> io:format("no connection to ~p~n", [Node]), halt(1);
connect(Node, Tries) ->
  case net_kernel:connect_node(Node) of
    true -> ok;
    _ -> timer:sleep(20), connect(Node, Tries - 1)
  end.

wait_for(_Node, 0) -> halt(1);
wait_for(Node, Tries) ->
  case rpc:call(Node, erlang, whereis, [adder]) of
    Pid when is_pid(Pid) -> ok;
    _ -> timer:sleep(20), wait_for(Node, Tries - 1)
  end.

figures(Adder, InFlight, Count) ->
  _ = round_of(Adder, InFlight, max(InFlight, Count div 5)),
  Rounds = [round_of(Adder, InFlight, Count) || _ <- lists:seq(1, ?REPETITIONS)],
  [{Seconds, Took} | _] = lists:sort(Rounds),
  Sorted = list_to_tuple(lists:sort(Took)),
  Answered = tuple_size(Sorted),
  Percentile = fun(Share) -> element(min(Answered, 1 + floor(Share * (Answered - 1))), Sorted) / 1000 end,
  print("asksPerSecond~p", InFlight, Answered / Seconds),
  print("p50Micros~p", InFlight, Percentile(0.5)),
  print("p99Micros~p", InFlight, Percentile(0.99)).

round_of(Adder, InFlight, Count) ->
  Each = Count div InFlight,
  Self = self(),
  Start = erlang:monotonic_time(nanosecond),
  Pids = [spawn_link(fun() -> Self ! {self(), loop(Adder, Each, [])} end) || _ <- lists:seq(1, InFlight)],
  Took = lists:append([receive {Pid, Result} -> Result end || Pid <- Pids]),
  Seconds = (erlang:monotonic_time(nanosecond) - Start) / 1.0e9,
  {Seconds, Took}.

loop(_Adder, 0, Took) -> Took;
loop(Adder, Left, Took) ->
  Start = erlang:monotonic_time(nanosecond),
  _ = gen_server:call(Adder, {add, Left}, 10000),
  loop(Adder, Left - 1, [erlang:monotonic_time(nanosecond) - Start | Took]).

transfers(Adder, Count) ->
  Bytes = binary:copy(<<0>>, ?MIB),
  Send = fun(Times) -> [?MIB = gen_server:call(Adder, {store, Bytes}, 10000) || _ <- lists:seq(1, Times)] end,
  Send(max(1, Count div 10)),
  Seconds = lists:min([begin
    Start = erlang:monotonic_time(nanosecond),
    Send(Count),
    (erlang:monotonic_time(nanosecond) - Start) / 1.0e9
  end || _ <- lists:seq(1, ?REPETITIONS)]),
  io:format("mebibytesPerSecond ~.3f~n", [Count / Seconds]).

print(Format, InFlight, Value) -> io:format(Format ++ " ~.3f~n", [InFlight, Value * 1.0]).

amount(Full, Scale) -> max(500, round(Full * Scale)).

scale() ->
  case init:get_argument(scale) of
    {ok, [[Text]]} -> list_to_float(Text);
    error -> 1.0
  end.
