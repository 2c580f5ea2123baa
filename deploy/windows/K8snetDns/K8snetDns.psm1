# The functions of k8snet's JEA endpoint: all that its account can do on this DNS server. See docs/dns.md.
# What they do is what the scripts in backends/windows_dns/scripts do, line by line; a test holds them to it.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# The answer of a function: one string, whatever the client's language and console.
function Write-Answer($fields) {
    $fields.ref = $p.ref
    $fields.server = [Environment]::MachineName
    $fields.clock = [DateTime]::UtcNow.Ticks
    $json = ConvertTo-Json -InputObject $fields -Depth 6 -Compress
    $bytes = [Text.Encoding]::UTF8.GetBytes($json)
    return '<<' + [Convert]::ToBase64String($bytes) + '>>'
}

function Get-Fault($record) {
    return @{ id = "$($record.FullyQualifiedErrorId)"; message = "$($record.Exception.Message)" }
}

# The zone of that name, or $null (WIN32 9601: no such zone). Every other error is thrown.
function Get-ZoneImage($name) {
    try {
        $z = Get-DnsServerZone -Name $name -ErrorAction Stop
    } catch {
        if ("$($_.FullyQualifiedErrorId)" -like 'WIN32 9601,*') { return $null }
        throw $_
    }
    $masters = [string[]]@($z.MasterServers | Where-Object { $_ } | ForEach-Object { "$_" })
    return @{
        name = "$($z.ZoneName)"
        type = "$($z.ZoneType)"
        masters = $masters
        timeout = [int]$z.ForwarderTimeout
        recursion = [bool]$z.UseRecursion
    }
}

# The server's name and clock.
function Get-K8snetClock {
    param([string]$Ref)
    $p = @{ ref = $Ref }
    Write-Answer @{ fault = $null }
}

# Empties the server's cache: after a change that came to it by replication.
function Clear-K8snetCache {
    param([string]$Ref)
    $p = @{ ref = $Ref }
    $fault = $null
    try {
        Clear-DnsServerCache -Force -Confirm:$false -ErrorAction Stop
    } catch {
        $fault = Get-Fault $_
    }
    Write-Answer @{ fault = $fault }
}

# Whether forwarders can work here. What cannot be read is left out, and the other part stands.
function Get-K8snetServer {
    param([string]$Ref)
    $p = @{ ref = $Ref }
    $facts = @{}

    try {
        $s = Get-DnsServerSetting -All -ErrorAction Stop
        $facts.directory = [bool]$s.DsAvailable
    } catch { }

    try {
        $r = Get-DnsServerRecursion -ErrorAction Stop
        $facts.recursion = [bool]$r.Enable
    } catch { }

    Write-Answer @{ fault = $null; facts = $facts }
}

# The zones of these names that exist, of any type.
function Get-K8snetForwarder {
    param([string]$Ref, [string[]]$Names)
    $p = @{ ref = $Ref; names = $Names }
    $fault = $null
    $zones = @()
    try {
        foreach ($name in $p.names) {
            $zone = Get-ZoneImage ([string]$name)
            if ($zone) { $zones += $zone }
        }
    } catch {
        $fault = Get-Fault $_
    }
    Write-Answer @{ fault = $fault; zones = $zones }
}

# Makes one forwarder equal $Post if it still equals $Pre.
function Set-K8snetForwarder {
    param(
        [string]$Ref,
        [string]$Zone,
        [string]$Pre,
        [string]$Post,
        [string[]]$Masters,
        [int]$Timeout,
        [bool]$Recursion,
        [string]$Scope,
        [string]$Partition,
        [string]$Server,
        [long]$NotAfter
    )
    $p = @{
        ref = $Ref
        zone = $Zone
        pre = $Pre
        post = $Post
        masters = $Masters
        timeout = $Timeout
        recursion = $Recursion
        scope = $Scope
        partition = $Partition
        server = $Server
        not_after = $NotAfter
    }
    function Get-State($zone) {
        if ($null -eq $zone) { return '' }
        if ($zone.type -ne 'Forwarder') { return $zone.type }
        return ($zone.masters -join ',') + ' ' + $zone.timeout + ' ' + $zone.recursion
    }

    function Set-Forwarder {
        $name = [string]$p.zone
        if ($p.post -eq '') {
            Remove-DnsServerZone -Name $name -Force -Confirm:$false -ErrorAction Stop
            return
        }
        $a = @{
            Name = $name
            MasterServers = [ipaddress[]]@($p.masters)
            ForwarderTimeout = [uint32]$p.timeout
            UseRecursion = [bool]$p.recursion
            ErrorAction = 'Stop'
        }
        if ($p.pre -ne '') {
            Set-DnsServerConditionalForwarderZone @a
            return
        }
        if ($p.scope) { $a.ReplicationScope = [string]$p.scope }
        if ($p.partition) { $a.DirectoryPartitionName = [string]$p.partition }
        Add-DnsServerConditionalForwarderZone @a
    }

    $fault = $null
    $cleared = $false
    $found = $null
    $left = $null
    $verdict = 'unread'
    try {
        $found = Get-State (Get-ZoneImage ([string]$p.zone))
        if ($found -ceq $p.post) { $verdict = 'already' }
        elseif ($found -cne $p.pre) { $verdict = 'changed' }
        elseif ([Environment]::MachineName -ne $p.server) { $verdict = 'elsewhere' }
        elseif ([DateTime]::UtcNow.Ticks -gt [long]$p.not_after) { $verdict = 'late' }
        else {
            $verdict = 'written'
            try {
                Set-Forwarder
                # Answers from before the change would live on in the cache, negative ones for up to 15 minutes.
                Clear-DnsServerCache -Force -Confirm:$false -ErrorAction Stop
                $cleared = $true
            } catch {
                $fault = Get-Fault $_
            }
            $left = Get-State (Get-ZoneImage ([string]$p.zone))
        }
    } catch {
        $fault = Get-Fault $_
    }
    Write-Answer @{ fault = $fault; verdict = $verdict; found = $found; left = $left; cleared = $cleared }
}
