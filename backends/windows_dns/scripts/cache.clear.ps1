# op: cache.clear v1
# Empties the server's cache: after a change that came to it by replication.
$fault = $null
try {
    Clear-DnsServerCache -Force -Confirm:$false -ErrorAction Stop
} catch {
    $fault = Get-Fault $_
}
Write-Answer @{ fault = $fault }
exit 0
