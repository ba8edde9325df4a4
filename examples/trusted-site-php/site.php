<?php
// A PHP site, such as one in Drupal, that vouches for its users: `trusted-site`, by openssl_sign.
// usage: php site.php URL PRIVATE_KEY.pem SITE_ID EMAIL
declare(strict_types=1);

final class CryptoService
{
    public function __construct(private \OpenSSLAsymmetricKey $privateKey, private string $siteId)
    {
    }

    /** payload|timestamp under the site's key. */
    public function createSignedRequest(array $data): array
    {
        $timestamp = time();
        // Without it, the same data twice within one second would be a replay.
        $payload = json_encode($data + ['nonce' => bin2hex(random_bytes(8))], JSON_THROW_ON_ERROR);
        if (!openssl_sign("$payload|$timestamp", $signature, $this->privateKey, OPENSSL_ALGO_SHA256)) {
            throw new \RuntimeException('Failed to sign the request: ' . openssl_error_string());
        }
        $signature = base64_encode($signature);
        return ['payload' => $payload, 'timestamp' => $timestamp, 'signature' => $signature, 'site_id' => $this->siteId];
    }
}

final class ApiClient
{
    public function __construct(private string $url, private CryptoService $crypto)
    {
    }

    /** `register` or `login`. What it is for is signed, too, so that one never passes for the other. */
    public function trusted(string $what, string $email): array
    {
        $path = "/auth/trusted/$what";
        $body = json_encode($this->crypto->createSignedRequest(['email' => $email, 'for' => $path]), JSON_THROW_ON_ERROR);
        return $this->request('POST', $path, 'Content-Type: application/json', $body);
    }

    /** Status and answer. */
    public function request(string $method, string $path, string $header, string $content = ''): array
    {
        $http = ['method' => $method, 'header' => $header, 'content' => $content, 'ignore_errors' => true];
        $answer = file_get_contents($this->url . $path, false, stream_context_create(['http' => $http]));
        return [(int) explode(' ', $http_response_header[0])[1], json_decode($answer, true, 8, JSON_THROW_ON_ERROR)];
    }
}

[, $url, $file, $siteId, $email] = $argv;
$key = openssl_pkey_get_private("file://$file") ?: throw new \RuntimeException("No private key in $file");
$api = new ApiClient($url, new CryptoService($key, $siteId));
foreach (['register', 'register', 'login'] as $what) {
    [$status, $answer] = $api->trusted($what, $email);
    echo "$what $status ", $answer['code'] ?? $answer['user']['email'], "\n";
}
[$status, $me] = $api->request('GET', '/auth/me', "Authorization: Bearer {$answer['access_token']}");
echo "me $status ", $me['user'], "\n";
