# A node of three as its machine's configuration says it, evaluated without nixpkgs; see docs/nix.test.ts.
{ cluster ? null, node ? { enable = true; name = "node02"; openFirewall = true; keyFile = "/run/secrets/cluster.key"; } }:

let
  lib = import ./module-system.nix;
  tls = {
    certificate = "/etc/ultracloud/node.pem";
    key = "/etc/ultracloud/node.key";
    authority = "/etc/ultracloud/ca.pem";
  };
  three = {
    profile = "three-node-control-plane";
    cluster = "west";
    nodes = [
      { name = "node01"; host = "10.0.0.1"; zone = "zone-a"; inherit tls; }
      { name = "node02"; host = "10.0.0.2"; zone = "zone-b"; links = 7711; health.port = 9100; inherit tls; }
      { name = "node03"; host = "10.0.0.3"; zone = "zone-c"; inherit tls; }
    ];
    components.chainfire.quotaBytes = 4294967296;
    components.chainfire.autoCompaction.retention = "30m";
    limits.shells.clientsMax = 5;
    log.level = "warn";
    telemetry = { otlp = "http://10.0.0.9:4318"; ratio = 0.25; };
    stopMillis = 20000;
  };
  config = lib.evalModules {
    modules = [
      ../modules
      {
        ultracloud.cluster = if cluster == null then three else cluster;
        ultracloud.node = node // { package = "/package"; };
        ultracloud.chainfire.openFirewall = true;
      }
    ];
    pkgs = { coreutils = "/coreutils"; etcd = "/etcd"; };
    freeform = [ "assertions" "environment" "networking" "systemd" "users" ];
  };
  # A machine that is no node has nothing to assert.
  assertions = if builtins.isList config.assertions then config.assertions else [ ];
in
{
  file = config.ultracloud.clusterFile;
  service = config.systemd.services.ultracloud or null;
  ports = config.networking.firewall.allowedTCPPorts or [ ];
  rules = config.systemd.tmpfiles.rules or [ ];
  broken = map ({ message, ... }: message) (builtins.filter (one: !one.assertion) assertions);
  etc = config.environment.etc or { };
}
