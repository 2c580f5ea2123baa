# op: forwarder.read v1
# $p.names: zone names. Answers the zones that exist, of any type, in that order.
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
exit 0
