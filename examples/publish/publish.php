<?php
// publish.php ORG EVENT_TYPE PAYLOAD [EVENT_ID]: publish one event; PAYLOAD is JSON.
// BELLHOP_URL and BELLHOP_TOKEN say where and as whom. PHP 8 with its curl extension.
// Exit: 0 stored, 65 refused for good, 75 not now: keep the event, try later.
declare(strict_types=1);

const TRIES = 6;

/** The same request will never be taken. */
class Refused extends Exception {}

/** Not stored, or nobody knows: send the same event again, later. */
class NotNow extends Exception {}

/** Publish 1 to 500 events, all or nothing; returns their results. */
function publish(array $events, string $domain = 'tasks'): array
{
    $body = json_encode(['events' => $events], JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION);
    $curl = curl_init(getenv('BELLHOP_URL') . "/$domain/realtime/publish");
    $retryAfter = null;
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('BELLHOP_TOKEN'), 'Content-Type: application/json'],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$retryAfter): int {
            if (preg_match('/^Retry-After:\s*(\d+)/i', $line, $found)) $retryAfter = (int)$found[1];
            return strlen($line);
        },
    ]);
    for ($attempt = 0; ; $attempt++) {
        $retryAfter = null;
        $answer = curl_exec($curl);
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        if ($answer !== false && $status === 200) return json_decode($answer, true, flags: JSON_THROW_ON_ERROR)['results'];
        if ($answer !== false && ($status === 401 || $status === 403)) throw new NotNow($answer); // the event is good, the token isn't
        if ($answer !== false && $status !== 429 && $status < 500) throw new Refused($answer);
        if ($attempt + 1 === TRIES) throw new NotNow($answer === false ? curl_error($curl) : $answer);
        $wait = $retryAfter ?? 0.25 * 2 ** $attempt * (0.5 + mt_rand() / mt_getrandmax());
        usleep((int)($wait * 1_000_000));
    }
}

function uuid(): string
{
    return preg_replace('/(.{8})(.{4})(.{4})(.{4})(.{12})/', '$1-$2-$3-$4-$5', bin2hex(random_bytes(16)));
}

[, $org, $eventType, $payload] = $argv;
try {
    $results = publish([[
        'eventId' => $argv[4] ?? uuid(), // made once, before the first try
        'eventType' => $eventType,
        'timestamp' => (int)(microtime(true) * 1000),
        'orgId' => $org,
        'payload' => json_decode($payload, flags: JSON_THROW_ON_ERROR), // not as an array: {} would become []
    ]]);
    foreach ($results as $result) {
        echo "{$result['eventId']} {$result['status']} seq={$result['seq']} woken=", $result['woken'] ?? 'null', "\n";
    }
} catch (Refused $error) {
    fwrite(STDERR, "refused: {$error->getMessage()}\n");
    exit(65);
} catch (NotNow $error) {
    fwrite(STDERR, "not now: {$error->getMessage()}\n");
    exit(75);
}
