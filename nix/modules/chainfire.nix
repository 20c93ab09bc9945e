# Chainfire, the coordination store that runs inside each node, as its clients on and around the machine need it.
# What it is set to stands in ultracloud.cluster.components.chainfire, the same for all nodes.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkIf mkOption types;
  cfg = config.ultracloud.chainfire;
  node = config.ultracloud.node;
  nodes = if config.ultracloud.cluster.nodes == null then [ ] else config.ultracloud.cluster.nodes;
  own = lib.findFirst (one: one.name == node.name) { } nodes;
  port = if (own.etcd or null) == null then 2379 else own.etcd;
in
{
  imports = [ ./node.nix ];

  options.ultracloud.chainfire = {
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the port for clients of etcd is open to other machines.";
    };
    etcdctl = mkOption {
      type = types.bool;
      default = true;
      description = "Whether etcdctl is there for operators.";
    };
  };

  config = mkIf node.enable {
    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall port;
    environment.systemPackages = lib.optional cfg.etcdctl pkgs.etcd;
  };
}
