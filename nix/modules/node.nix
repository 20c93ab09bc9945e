# One node of the cluster as a service. Which of the nodes it is, ultracloud.node.name says.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.ultracloud.node;
  nodes = if config.ultracloud.cluster.nodes == null then [ ] else config.ultracloud.cluster.nodes;
  own = lib.findFirst (node: node.name == cfg.name) { } nodes;
  or' = value: otherwise: if value == null then otherwise else value;
  dataDirectory = or' (own.dataDirectory or null) "/var/lib/ultracloud";
  file = "/etc/ultracloud/cluster.json";
  unit = import ../unit.nix;
in
{
  imports = [ ./cluster.nix ];

  options.ultracloud.node = {
    enable = mkEnableOption "a node of UltraCloud";
    name = mkOption {
      type = types.str;
      description = "Which of ultracloud.cluster.nodes this machine is.";
    };
    package = mkOption {
      type = types.package;
      description = "The package with bin/ultracloud: lib.package of this flake, or package.nix, with a registry of npm.";
    };
    keyFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "A file with the key of the cluster, the same on all nodes: the cluster.key that the first one made. Without it the node makes its own, which is right for the first one only.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the port for other nodes is open to them.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = own != { };
        message = "ultracloud.node.name is ${cfg.name}: ultracloud.cluster.nodes has no node of that name";
      }
      {
        assertion = lib.hasPrefix "/" dataDirectory;
        message = "dataDirectory of ${cfg.name} is ${dataDirectory}: a service needs an absolute one";
      }
    ];

    environment.etc."ultracloud/cluster.json".text = config.ultracloud.clusterFile;
    environment.systemPackages = [ cfg.package ];

    users.users.ultracloud = {
      isSystemUser = true;
      group = "ultracloud";
    };
    users.groups.ultracloud = { };

    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall (or' (own.links or null) 7700);

    systemd.tmpfiles.rules = [ "d ${dataDirectory} 0700 ultracloud ultracloud -" ];

    systemd.services.ultracloud = {
      description = "UltraCloud node ${cfg.name}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      restartTriggers = [ config.ultracloud.clusterFile ];
      unitConfig = builtins.removeAttrs unit.Unit [ "Description" "Wants" "After" ];
      # All that the unit says but for its instance, %i, which is not needed here: one machine has one node.
      serviceConfig = builtins.removeAttrs unit.Service [ "StateDirectory" "StateDirectoryMode" ] // {
        ExecStart = "${cfg.package}/bin/ultracloud node --cluster ${file} --name ${cfg.name}";
        ExecStartPre = lib.optional (cfg.keyFile != null)
          "${pkgs.coreutils}/bin/install -m 0600 %d/cluster.key ${dataDirectory}/cluster.key";
        LoadCredential = lib.optional (cfg.keyFile != null) "cluster.key:${cfg.keyFile}";
        # Where the file of the cluster says, instead of a StateDirectory.
        WorkingDirectory = dataDirectory;
        ReadWritePaths = [ dataDirectory ];
        CacheDirectory = "ultracloud";
        Environment = "NODE_COMPILE_CACHE=%C/ultracloud";
      };
    };
  };
}
