# op: forwarder.write v1
# Makes one forwarder equal $p.post if it still equals $p.pre. Both are states as Get-State tells them, '' for none.
# $p.server and $p.not_after: write only on that computer and before that moment of its clock.
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
exit 0
